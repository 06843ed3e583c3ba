"""INDEXER. Law: a block's changes are one transaction; parents are checked; kill it anywhere and nothing is lost."""
