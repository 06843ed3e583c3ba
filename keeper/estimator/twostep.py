"""What liquidating one account twice in one transaction would bring: analysed and reported, never done by default.

Law: where the close factor is a share of what is owed, a first small call that leaves the account just below health 1,
followed by a second one at the full close factor, repays more than one call may. All amounts are in base value.
"""

from dataclasses import dataclass

from keeper.core.units import BPS, Bps, div_up, mul_div_down


@dataclass(frozen=True, slots=True)
class TwoStep:
    """Two calls against one."""

    first: int
    second: int
    single: int

    @property
    def total(self) -> int:
        """What both calls repay."""
        return self.first + self.second

    @property
    def gain(self) -> Bps:
        """How much more than one call, rounded down."""
        return Bps((self.total - self.single) * BPS // self.single if self.single else 0)


def two_step(debt: int, collateral: int, threshold: Bps, bonus: Bps, close_factor: Bps = Bps(5000)) -> TwoStep:
    """The largest first call that leaves health below 1, and the second one after it.

    Health stays below 1 while ``(C - r LB) LT < D - r``. Where LT LB is one or more every call lowers health, so the
    first may take the whole close factor.
    """
    single = mul_div_down(debt, close_factor, BPS)
    short = debt * BPS**2 - collateral * threshold * BPS  # all of it times BPS squared
    if short <= 0:
        return TwoStep(0, 0, 0)  # not liquidatable
    rise = BPS**2 - threshold * bonus
    first = single if rise <= 0 else min(div_up(short, rise) - 1, single)
    left = collateral - mul_div_down(first, bonus, BPS)
    second = mul_div_down(debt - first, close_factor, BPS)
    return TwoStep(first, min(second, max(left, 0) * BPS // bonus), min(single, collateral * BPS // bonus))
