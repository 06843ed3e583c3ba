"""Events into the book.

Laws
- Amounts, collateral flags and e-modes come from events alone; so do rates and followed prices of a live block.
- Other facts are not inferred: an event that may have moved one marks it stale, and the block's refresh reads it.
- A balance whose token rules are not known is put in doubt and read from its token, never guessed.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.units import Address
from keeper.protocols.aave_v3 import events as e
from keeper.protocols.aave_v3 import tokens
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.health import Rates
from keeper.protocols.aave_v3.tokens import TokenProfile

BEFORE: Final = "before:"  # an implementation known only as the predecessor of another


_MOVES: Final = (e.Mint, e.Burn)


class Token(NamedTuple):
    """A reserve's token: where its amounts are kept and how its events are read."""

    column: int
    profile: TokenProfile | None  # None: every touched balance is in doubt
    transfers: bool  # whether it is known if a transfer's value is scaled


class Applier:
    """Folds the logs of one market into its book."""

    def __init__(self) -> None:
        self._tokens: dict[Address, Token] = {}
        self._ids: dict[Address, int] = {}
        self._feeds: dict[Address, list[Address]] = {}
        self._versions: tuple[int, ...] = ()
        self._doubts = False  # whether any balance is in doubt

    def apply(self, book: Book, logs: Iterable[Log], block: Block | None) -> None:
        """Fold logs in, in order."""
        self._derive(book)
        self._doubts = bool(book.facts("doubt"))
        for log in logs:
            event = decode(log)
            if isinstance(event, _MOVES):
                self._moved(book, event)
            elif event is not None:
                self._fold(book, event, block)

    def _fold(self, book: Book, event: e.Event, block: Block | None) -> None:
        """Everything but the two events that make up most of history."""
        match event:
            case e.BalanceTransfer():
                self._transferred(book, event)
            case e.StableMint() | e.StableBurn():
                self._stable_moved(book, event, block)
            case e.CollateralEnabled(asset, account):
                self._flag(book, asset, account, on=True)
            case e.CollateralDisabled(asset, account):
                self._flag(book, asset, account, on=False)
            case e.UserEModeSet(account, category):
                row = book.open(account)
                book.mark(row, book.flags(row), category)
            case _:
                self._fact(book, event, block)

    def _fact(self, book: Book, event: e.Event, block: Block | None) -> None:
        """Rates and followed prices are known from their events, in a live block; all else is read again."""
        match event:
            case e.ReserveDataUpdated(asset):
                if block is not None and asset in self._ids:
                    book.learn("rates", asset, _rates(event, block))
                    book.learn("stale", f"liquidity:{asset}", value=True)
            case e.FeedAnswered(feed, _, answer):
                for asset in self._feeds.get(feed, ()):
                    if answer > 0:
                        book.learn("price", asset, answer)
            case _:
                self._structure(book, event)

    # amounts -------------------------------------------------------------------------------------------------------

    def _moved(self, book: Book, event: e.Mint | e.Burn) -> None:
        token = self._tokens.get(event.token)
        if token is None:
            return
        profile = token.profile
        if profile is None or (self._doubts and self._doubted(book, event.token, event.account)):
            self._doubt(book, event.token, event.account)
            return
        row = book.open(event.account)
        found = book.look(row, token.column)
        change = tokens.after_mint if type(event) is e.Mint else tokens.after_burn
        after = change(profile, found[1], event.value, event.balance_increase, event.index)
        if after < 0:
            self._doubt(book, event.token, event.account)
        elif after != found[1]:
            book.replace(row, token.column, found, after)

    def _transferred(self, book: Book, event: e.BalanceTransfer) -> None:
        token = self._tokens.get(event.token)
        if token is None or event.sender == event.recipient:
            return
        known = token.profile is not None and token.transfers
        amount = tokens.transferred(token.profile, event.value, event.index) if token.profile and known else 0
        for account, change in ((event.sender, -amount), (event.recipient, amount)):
            row = book.open(account)
            after = book.amount(row, token.column) + change
            if not known or after < 0 or self._doubted(book, event.token, account):
                self._doubt(book, event.token, account)
            elif change:
                book.set_amount(row, token.column, after)

    @staticmethod
    def _doubted(book: Book, token: Address, account: Address) -> bool:
        """What stands on a balance in doubt is in doubt too, until it is read."""
        return book.fact("doubt", f"{token}:{account}") is not None

    def _doubt(self, book: Book, token: Address, account: Address) -> None:
        self._doubts = True
        book.learn("doubt", f"{token}:{account}", value=True)

    def _stable_moved(self, book: Book, event: e.StableMint | e.StableBurn, block: Block | None) -> None:
        """A stable debt's clock is the block's time: without it, and when it is not understood, it is read."""
        token = self._tokens.get(event.token)
        if token is None:
            return
        row = book.open(event.account)
        if block is None or self._doubted(book, event.token, event.account):
            self._doubt(book, event.token, event.account)
        elif isinstance(event, e.StableMint):
            principal = tokens.principal_after_mint(event)
            book.set_amount(row, token.column, principal, (event.rate, block.timestamp))
        else:
            principal = tokens.principal_after_burn(event)
            rate = book.annex(row, token.column)[:1]
            book.set_amount(row, token.column, principal, (*rate, block.timestamp) if principal and rate else ())

    def _flag(self, book: Book, asset: Address, account: Address, *, on: bool) -> None:
        number = self._ids.get(asset)
        if number is None:
            return
        row = book.open(account)
        old = book.flags(row)
        new = old | 1 << number if on else old & ~(1 << number)
        if new != old:
            book.mark(row, new, book.mode(row))

    # structure -----------------------------------------------------------------------------------------------------

    def _structure(self, book: Book, event: e.Event) -> None:
        match event:
            case e.TokenUpgraded(_, _, proxy, implementation) | e.Upgraded(proxy, implementation):
                if book.fact("impl", proxy) is not None:
                    book.learn("impl", proxy, implementation)
                    book.learn("stale", "market", value=True)
            case e.ReserveInitialized() | e.ReserveDropped():
                book.learn("stale", "market", value=True)
            case e.PartUpgraded() | e.PartReplaced() | e.PartCreated() | e.FallbackOracleUpdated():
                book.learn("stale", "market", value=True)
            case e.FlashloanPremiumTotalUpdated():
                book.learn("stale", "market", value=True)
            case e.EModeCategoryAdded(category) | e.AssetCollateralInEModeChanged(_, category):
                book.learn("stale", f"emode:{category}", value=True)
            case e.AssetSourceUpdated(asset) if asset in self._ids:
                book.learn("stale", f"source:{asset}", value=True)
            case e.LiquidationCall(asset):
                # a seizure paid in aTokens stores the collateral's new indexes without an event (3.5 and later)
                book.learn("stale", f"reserve:{asset}", value=True)
            case _:
                subject = getattr(event, "asset", None)
                if subject in self._ids:
                    book.learn("stale", f"reserve:{subject}", value=True)
                return
        self._derive(book)

    # derived tables ------------------------------------------------------------------------------------------------

    def _derive(self, book: Book) -> None:
        """Tables that follow from facts, made again only when those facts moved."""
        versions = tuple(book.version(kind) for kind in ("listing", "impl", "code", "source"))
        if versions == self._versions:
            return
        self._versions = versions
        self._ids = {Address(asset): entry.id for asset, entry in book.facts("listing").items()}
        self._tokens = {
            token: _token(book, token, entry.id << 2 | side)
            for entry in book.facts("listing").values()
            for side, token in enumerate(entry.tokens)
        }
        self._feeds = {}
        for asset, source in book.facts("source").items():
            self._feeds.setdefault(source.feed, []).append(Address(asset))


def _rates(event: e.ReserveDataUpdated, block: Block) -> Rates:
    return Rates(
        liquidity_index=event.liquidity_index,
        borrow_index=event.borrow_index,
        liquidity_rate=event.liquidity_rate,
        borrow_rate=event.borrow_rate,
        updated=block.timestamp,
    )


def _token(book: Book, token: Address, column: int) -> Token:
    """Releases only go up: a predecessor of rules that round half up rounded so too; its transfers may be unscaled."""
    found = book.fact("impl", token) or ""
    profile = tokens.TOKEN_PROFILES.get(book.fact("code", found.removeprefix(BEFORE)) or "")
    if not found.startswith(BEFORE):
        return Token(column, profile, transfers=True)
    return Token(column, profile if profile is not None and profile.half_up else None, transfers=False)
