"""What can be done now: bark at an urn, reset an auction, buy from one; and why not.

Laws
- Amounts are exact: ``settle`` and ``calls`` agree to the wei with what the contracts do in the block aimed for.
- A purchase is asked for so that neither of the clipper's two corrections takes place, but for the whole auction, where
  the tab is what is paid. ``repay`` is a budget in dai: what is paid is never more, and less by no more than the price
  of the last wei of collateral.
- A reward is dai inside the vat; the calls bring it out, down to whole wei.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.core.actions import SELF, Action, Call, Settlement, Stage, Style, Witness
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import RAY, ZERO_ADDRESS, Address, Amount, div_up, owner, pocket
from keeper.protocols.maker_clip import bark as dog
from keeper.protocols.maker_clip.auction import Auction, Taken, reward
from keeper.protocols.maker_clip.calls import calldata
from keeper.protocols.maker_clip.decode import ilk_word
from keeper.protocols.maker_clip.facts import MarketParts, Terms, Token
from keeper.protocols.maker_clip.maths import feed_price
from keeper.protocols.maker_clip.view import Steps, View, Way

NAME: Final = "maker_clip"
_WAD_DECIMALS: Final = 18
_DATA: Final = (
    160,
    32,
    1,
)  # of a purchase: where its data begins, how long it is, and one word, so that there is a callback


@dataclass(frozen=True, slots=True)
class Purchase:
    """``Clipper.take``. Implements ``core.actions.Action``."""

    parts: MarketParts
    token: Token
    account: Address
    auction: Auction
    price: int  # ray, at the time aimed for: the most that is paid
    protocol: str = NAME
    style: Style = Style.CLIP
    receive_wrapped: bool = False
    withdrawable: int = 0

    @property
    def market(self) -> Address:
        """The clipper."""
        return owner(self.account)

    @property
    def collateral_asset(self) -> Address:
        return self.token.gem

    @property
    def debt_asset(self) -> Address:
        return self.parts.dai

    @property
    def spender(self) -> Address:
        return self.parts.dai_join

    @property
    def witness(self) -> Witness | None:
        """What is left to raise."""
        return Witness(self.market, Amount(self.auction.sale.tab), _sale_of(self.account), place=1)

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """A part that leaves enough for an auction, or all."""
        whole, tab, chost = self._whole(), self.auction.sale.tab, self.auction.rules.chost
        least, most = max(div_up(self.price, RAY), 1), min((tab - chost) // RAY, whole - 1)
        part = ((least, most),) if least <= most else ()
        return (*part, (whole, whole))

    def settle(self, repay: int) -> Settlement:
        taken = self.taken(repay)
        return Settlement(Amount(div_up(taken.owe, RAY)), Amount(self._tokens(taken.bought)), Amount(0))

    def calls(self, repay: int) -> tuple[Call, ...]:
        """The clipper is let into our balance in the vat; collateral comes out of it, and dai go in."""
        taken, it, join = self.taken(repay), self.parts, self.token.join
        number, amount = int(pocket(self.account)), self.amount(repay)
        take = calldata("take(uint256,uint256,uint256,address,bytes)", number, amount, self.price, SELF, *_DATA)
        paid = div_up(taken.owe, RAY)
        return (
            Call(it.vat, calldata("hope(address)", self.market)),
            Call(self.market, take),
            Call(join, calldata("exit(address,uint256)", SELF, self._tokens(taken.bought)), stage=Stage.SEIZED),
            Call(it.dai_join, calldata("join(address,uint256)", SELF, paid), stage=Stage.SOLD),
        )

    def amount(self, repay: int) -> int:
        """The collateral that is asked for."""
        return self.auction.lot if repay >= self._whole() else repay * RAY // self.price

    def taken(self, repay: int) -> Taken:
        """What a repay amount taken from ``intervals`` buys."""
        taken = self.auction.take(self.amount(repay))
        if isinstance(taken, Taken):
            return taken
        raise ValueError(f"{repay} is not a repay amount of {self.account}: {taken.value}")

    def _whole(self) -> int:
        """What all of it costs."""
        return max(div_up(min(self.auction.lot * self.price, self.auction.sale.tab), RAY), 1)

    def _tokens(self, wad: int) -> int:
        """What comes out of the vat for a wad of collateral."""
        return wad // int(10 ** (_WAD_DECIMALS - self.token.decimals))


@dataclass(frozen=True, slots=True)
class Errand:
    """``Dog.bark`` or ``Clipper.redo``: done for its reward. Implements ``core.actions.Action``."""

    parts: MarketParts
    account: Address
    market: Address
    errand: tuple[Call, ...]
    coin: int  # rad: the reward
    witness: Witness | None  # a number that a rival who was first has made less
    protocol: str = NAME
    style: Style = Style.BOUNTY
    receive_wrapped: bool = False
    withdrawable: int = 0
    spender: Address = ZERO_ADDRESS

    @property
    def collateral_asset(self) -> Address:
        return self.parts.dai

    @property
    def debt_asset(self) -> Address:
        return self.parts.dai

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Nothing is repaid."""
        return ((0, 0),)

    def settle(self, repay: int) -> Settlement:
        return Settlement(Amount(repay), Amount(self.coin // RAY), Amount(0))

    def calls(self, repay: int) -> tuple[Call, ...]:
        """The errand, and the reward out of the vat."""
        del repay
        it, wad = self.parts, self.coin // RAY
        return (
            *self.errand,
            Call(it.vat, calldata("hope(address)", it.dai_join), stage=Stage.LAST),
            Call(it.dai_join, calldata("exit(address,uint256)", SELF, wad), stage=Stage.LAST),
        )


def actions(view: View, row: int) -> Sequence[Action | Reason]:
    """Everything that can be done about an account; nothing for a healthy one."""
    auction = view.auction(row)
    if isinstance(auction, Quarantine):
        return [Reason.QUARANTINED]
    if auction is not None:
        return [_reset(view, row, auction) if auction.needs_reset else _purchase(view, row, auction)]
    return _bark(view, row)


def _purchase(view: View, row: int, auction: Auction) -> Action | Reason:
    account, book = view.book.account(row), view.book
    token = book.fact("token", book.fact("clip", owner(account)))
    if token is None:
        return Reason.QUARANTINED
    taken = auction.take(auction.lot)
    if isinstance(taken, Reason):
        return taken
    return Purchase(book.fact("market"), token, account, auction, auction.price)


def _reset(view: View, row: int, auction: Auction) -> Action | Reason:
    account, book = view.book.account(row), view.book
    terms: Terms | None = book.fact("terms", book.fact("clip", owner(account)))
    oracle = terms and book.fact("oracle", terms.pip)
    if auction.rules.stopped > 1:
        return Reason.PAUSED
    if not oracle or not oracle.value:
        return Reason.ORACLE_INVALID
    coin = auction.reward(feed_price(oracle.value, view.limits.par))
    if not coin:
        return Reason.DUST
    clip, number = owner(account), int(pocket(account))
    redo = Call(clip, calldata("redo(uint256,address)", number, SELF))
    witness = Witness(clip, Amount(auction.sale.tab), _sale_of(account), place=1)
    return Errand(book.fact("market"), account, clip, (redo,), coin, witness)


def _bark(view: View, row: int) -> Sequence[Action | Reason]:
    ilk, ink, art = view.held(row)
    ways = [way for way in view.ways(ilk) if art and dog.unsafe(ink, art, way.spot, way.rate)]
    if not ways:
        return []
    way = next((way for way in ways if way.value), None)
    return [Reason.ORACLE_INVALID if way is None else _errand(view, row, ilk, ink, art, way)]


def _errand(view: View, row: int, ilk: str, ink: int, art: int, way: Way) -> Action | Reason:
    book, account = view.book, view.book.account(row)
    terms, parts = book.fact("terms", ilk), book.fact("market")
    barked = dog.bark(view.kennel(terms, way), ink, art)
    if isinstance(barked, Reason):
        return barked
    rules = book.fact("rules", terms.clip)
    if rules is None:
        return Reason.QUARANTINED
    if rules.stopped:
        return Reason.PAUSED
    coin = reward(rules, barked.tab)
    if not coin:
        return Reason.UNPROFITABLE
    word, urn = ilk_word(ilk), owner(account)
    bark = Call(parts.dog, calldata("bark(bytes32,address,address)", word, urn, SELF))
    witness = Witness(parts.vat, Amount(art), calldata("urns(bytes32,address)", word, urn), place=1)
    return Errand(parts, account, parts.dog, (*_before(parts, terms, word, way.steps), bark), coin, witness)


def _sale_of(account: Address) -> bytes:
    """The question whose second word is what an auction has left to raise."""
    return calldata("sales(uint256)", int(pocket(account)))


def _before(parts: MarketParts, terms: Terms, ilk: int, steps: Steps) -> list[Call]:
    """What makes the urn unsafe, in order."""
    known = {
        Steps.HOP: Call(terms.pip, calldata("poke()")),
        Steps.POKE: Call(parts.spotter, calldata("poke(bytes32)", ilk)),
        Steps.DRIP: Call(parts.jug, calldata("drip(bytes32)", ilk)),
    }
    return [made for step, made in known.items() if step in steps]
