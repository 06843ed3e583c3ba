"""What an account is: long, short or a carry; how far it is geared; whether liquidating it helps.

Laws
- Values are in base units at the snapshot's prices; what is owned counts without its risk weight.
- Liquidating improves a loan-to-value only below 1 / ((1 + bonus) * lambda), lambda = 1 + 2 s / x, with s the
  collateral that stays and x what the pool holds of it: beyond, a sale costs the rest more than it repays.
"""


def toxic_bound(remaining: float, reserve: float, bonus: float) -> float:
    """The loan-to-value from which on liquidations make an account worse; without a pool they always do."""
    return 1 / ((1 + bonus) * (1 + 2 * remaining / reserve)) if reserve > 0 else 0.0
