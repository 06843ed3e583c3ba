"""Morpho Blue: isolated markets of one contract, liquidated by callback."""
