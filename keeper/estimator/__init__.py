"""ESTIMATOR. Law: pure; integers only; every liquidatable account ends as a ``Plan`` or a ``Skip`` with a reason."""
