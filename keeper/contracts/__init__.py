"""CONTRACTS. Law: pure; the executor's source, its compiled artifact and the only encoder of its calldata."""
