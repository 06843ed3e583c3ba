"""CHAIN. Law: every byte to or from a node passes here; foreign errors are mapped once; only reads are retried."""
