"""How the price of an auction falls.

Law: the price is exactly what the auction's own calculator answers, and never rises until a reset; so the first second
at which it is low enough is found by halving.
"""

from enum import StrEnum

import msgspec

from keeper.protocols.maker_clip import maths


class Shape(StrEnum):
    """The calculators that are understood."""

    LINEAR = "linear"
    STAIRSTEP = "stairstep"
    EXPONENTIAL = "exponential"


class Curve(msgspec.Struct, frozen=True):
    """A calculator with its parameters; those that its shape has no use for are 0."""

    shape: Shape
    tau: int = 0
    cut: int = 0
    step: int = 0

    def price(self, top: int, seconds: int) -> int:
        """The price so many seconds after the start."""
        if self.shape is Shape.LINEAR:
            return maths.linear_price(top, self.tau, seconds)
        if self.shape is Shape.STAIRSTEP:
            return maths.stairstep_price(top, self.cut, self.step, seconds)
        return maths.exponential_price(top, self.cut, seconds)

    def first(self, top: int, most: int, within: int) -> int | None:
        """The first second at which the price is at most ``most``, if it is one of the next ``within``."""
        if self.price(top, within) > most:
            return None
        low, high = 0, within
        while low < high:
            middle = (low + high) // 2
            if self.price(top, middle) <= most:
                high = middle
            else:
                low = middle + 1
        return low
