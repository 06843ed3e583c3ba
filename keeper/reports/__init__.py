"""REPORTS. Law: reads the book and the ledger for people; writes neither; keeps no model of its own."""
