"""CORE. Law: pure; the words of the keeper: units, events, markets, book, plans, ports. Imports nothing but errors."""
