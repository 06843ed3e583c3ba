"""CHECKS. Law: a check looks and changes nothing; it says what is wrong and what to do, and never stops the others."""
