"""OPS. Law: watches and tells; never decides, never blocks the pipeline."""
