"""SCREEN. Law: pure; float, vectorised; may flag too many accounts, never too few. Nothing is decided here."""
