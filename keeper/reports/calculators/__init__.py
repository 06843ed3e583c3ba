"""CALCULATORS. What venues we do not act on make of a position: numbers in, numbers out, each by its venue's own rules.

Law: a question about what is supposed, so floats; nothing here decides anything.
"""
