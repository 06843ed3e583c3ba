"""keeper: an off-chain liquidation keeper, exact to the last unit."""

__version__ = "0.1.0"
