"""EXECUTOR. Law: journalled before the first byte leaves; no failed simulation is sent; no blind retry."""
