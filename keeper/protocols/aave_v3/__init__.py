"""Aave v3, every release from 3.0.2 to 3.7: decode, maths and adapter."""
