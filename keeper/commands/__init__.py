"""COMMANDS. Law: people get a table, scripts get one JSON object a line; the numbers are the same and exact."""
