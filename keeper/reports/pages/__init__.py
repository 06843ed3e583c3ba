"""PAGES. How each report is told: a table, records for scripts, a picture. Law: no number is made here."""
