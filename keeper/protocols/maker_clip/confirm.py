"""Which of many accounts something can be done about: the integers of ``View.health`` with other prices if need be.

Law: equal to ``health``. Where a price of a collateral is supposed, it is the one that the vat has been told.
"""

from collections.abc import Mapping, Sequence

from keeper.core.ports import Quarantine
from keeper.core.units import RAY, Address
from keeper.protocols.maker_clip.auction import Auction
from keeper.protocols.maker_clip.bark import unsafe
from keeper.protocols.maker_clip.prices import listed_price
from keeper.protocols.maker_clip.view import View


def liquidatable(view: View, rows: Sequence[int], prices: Mapping[Address, int]) -> list[int]:
    """Those below 1, the largest debts first."""
    supposed = {ilk: _supposed(view, ilk, prices) for ilk in view.ilks}
    debts = {row: debt for row in rows if (debt := _debt(view, row, supposed)) is not None}
    return sorted(debts, key=lambda row: -debts[row])


def _supposed(view: View, ilk: str, prices: Mapping[Address, int]) -> tuple[int, int] | None:
    """Price and rate of a collateral."""
    worst, token = view.worst(ilk), view.book.fact("token", ilk)
    if worst is None or token is None or token.gem not in prices or not listed_price(view.book, ilk):
        return worst
    return view.spot(view.book.fact("terms", ilk), prices[token.gem]), worst[1]


def _debt(view: View, row: int, supposed: Mapping[str, tuple[int, int] | None]) -> int | None:
    """The debt of an account below 1; ``None`` of another."""
    auction = view.auction(row)
    if isinstance(auction, Auction):
        return auction.sale.tab // RAY
    if isinstance(auction, Quarantine):
        return None
    ilk, ink, art = view.held(row)
    worst = supposed.get(ilk)
    return art * worst[1] // RAY if art and worst and unsafe(ink, art, *worst) else None
