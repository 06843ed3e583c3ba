"""The demonstration: a local world of real protocols, a price path with a crash, and the real keeper at work on it.

Law: what runs here is what runs in earnest. Only the chain, the relay and the keys are local.
"""

from typing import Final

REAL: Final = ("aave_v3", "morpho_blue", "perp_curie")  # contracts that nobody here wrote
MARKETS: Final = (*REAL, "compound_v2", "maker_clip")  # on request: Venus, as real, and a fixture with Maker's maths
