"""The demonstration: a local world of real protocols, a price path with a crash, and the real keeper at work on it.

Law: what runs here is what runs in earnest. Only the chain, the relay and the keys are local.
"""

from typing import Final

REAL: Final = ("aave_v3", "morpho_blue", "perp_curie")  # contracts that nobody here wrote
MARKETS: Final = (*REAL, "maker_clip")  # and a fixture with the same maths
