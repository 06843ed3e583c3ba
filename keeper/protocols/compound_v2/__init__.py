"""Compound v2 and what grew out of it: Venus core, Moonwell and their kind, told apart by what they answer."""
