"""STORE. Law: one SQLite file, one writer; what is read back is what was written, or ``StateCorrupt``."""
