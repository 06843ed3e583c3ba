"""What a Perpetual v2 exchange is asked, and how the answers become facts.

Laws
- Everything here yields asks and receives answers of one block; it never waits and never guesses.
- The survey reads all facts. The refresh after a block reads what its events left open, in two or three rounds, and
  views once, in one batch, what no event tells: the latest index prices, the prices of other collateral, the insurance
  fund's own tokens. Accumulators that no view tells are read where the contracts store them.
"""

from collections.abc import Iterable, Sequence

from keeper.core.book import Book
from keeper.core.calls import address, integer
from keeper.core.events import Block
from keeper.core.ports import Ask, HeaderOf, Inquiry, LogsOf, SlotOf
from keeper.core.units import Address
from keeper.protocols.perp_curie import facts, markets, traders
from keeper.protocols.perp_curie.asking import together
from keeper.protocols.perp_curie.calls import call
from keeper.protocols.perp_curie.decode import decode
from keeper.protocols.perp_curie.events import CollateralAdded, PoolAdded
from keeper.protocols.perp_curie.facts import COLLATERALS, Collateral, Listing, Parts, Risk
from keeper.protocols.perp_curie.storage import PROOF
from keeper.protocols.perp_curie.topics import COLLATERAL_ADDED, POOL_ADDED

_PARTS = (
    "getClearingHouseConfig()",
    "getVault()",
    "getExchange()",
    "getOrderBook()",
    "getAccountBalance()",
    "getInsuranceFund()",
    "getUniswapV3Factory()",
    "getQuoteToken()",
)
COLLATERAL_AVERAGE = 900  # seconds


def open_market(book: Book, house: Address) -> Inquiry:
    """The contracts, and the markets and collateral there are, numbered in the order in which they came."""
    yield from parts(book, house)
    known: Parts = book.fact("parts")
    ask = LogsOf(frozenset({known.registry, known.collateral_manager}), frozenset({POOL_ADDED, COLLATERAL_ADDED}))
    answers = yield [ask]
    yield from listed(book, [decode(log) for log in answers[ask]])


def parts(book: Book, house: Address) -> Inquiry:
    """All contracts, from the clearing house."""
    reads = [call(house, name) for name in _PARTS]
    answers = yield reads
    config, vault, exchange, order_book, balance, fund, factory, quote = (address(answers, read) for read in reads)
    settlement, decimals, manager = (
        call(vault, f"{name}()") for name in ("getSettlementToken", "decimals", "getCollateralManager")
    )
    registry = call(exchange, "getMarketRegistry()")
    proofs = [SlotOf(exchange, PROOF), SlotOf(order_book, PROOF)]
    answers = yield [settlement, decimals, manager, registry, *proofs]
    kept = [int(answers[proof], 16) for proof in proofs]
    book.learn(
        "parts",
        "",
        Parts(
            config=config,
            vault=vault,
            exchange=exchange,
            order_book=order_book,
            account_balance=balance,
            insurance_fund=fund,
            collateral_manager=address(answers, manager),
            registry=address(answers, registry),
            factory=factory,
            quote=quote,
            settlement=address(answers, settlement),
            decimals=integer(answers, decimals) or 0,
            understood=kept == [int(order_book, 16), int(exchange, 16)],
        ),
    )


def listed(book: Book, events: Iterable[object]) -> Inquiry:
    """New markets and tokens, with the next numbers."""
    for event in events:
        match event:
            case PoolAdded(base, pool, fee) if book.fact("listing", base) is None:
                book.learn("listing", base, Listing(len(book.facts("listing")) + 1, pool, fee))
            case CollateralAdded(token) if book.fact("collateral", token) is None:
                number = COLLATERALS + len(book.facts("collateral"))
                book.learn("collateral", token, Collateral(number, 0, 0, 0, None))
    yield from together(markets.feed(book, base) for base in book.facts("listing") if book.fact("feed", base) is None)


def survey(book: Book, house: Address) -> Inquiry:
    """Everything."""
    yield from parts(book, house)
    yield from risk(book)
    bases = list(book.facts("listing"))
    yield from together(markets.status(book, base) for base in bases)
    yield from together(
        [
            *(markets.whole(book, base) for base in bases),
            *(collateral(book, Address(token)) for token in book.facts("collateral")),
            stopped(book, house),
        ]
    )
    ticks = {base: {*ticks_of(book, base), *markets.known_outside(book, base)} for base in bases}
    yield from together([*(markets.outside(book, base, ticks[base]) for base in bases), viewed(book)])
    everybody = traders.everybody(book)
    for key in set(book.facts("since")) - {facts.pair_key(*pair) for pair in everybody}:
        book.learn("since", key, None)  # of a block that was reorganised away
    yield from traders.settlements(book, everybody)
    for kind in ("stale", "doubt"):
        for subject in list(book.facts(kind)):
            book.learn(kind, subject, None)


def ticks_of(book: Book, base: str) -> Sequence[int]:
    """All initialised ticks of a pool."""
    known = book.fact("ticks", base)
    return known.index if known else ()


def refresh(book: Book, house: Address) -> Inquiry:
    """After a live block."""
    subjects = [subject.split(":") for subject in book.facts("stale")]
    if any(kind in ("risk", "listing") for kind, *_ in subjects):
        yield from survey(book, house)
        return
    named = {
        kind: list(dict.fromkeys(Address(key) for found, key, *_ in subjects if found == kind))
        for kind in ("market", "makers", "fees", "status", "feed", "index", "pool", "track", "collateral", "tick")
    }
    emitters = {at: Address(base) for base, feed in book.facts("feed").items() for at in (feed.source, feed.dispatcher)}
    named["index"] = [emitters[source] for source in named["index"] if source in emitters]
    for kind in ("status", "feed"):  # said by a base token, or by its dispatcher
        named[kind] = [emitters.get(subject, subject) for subject in named[kind]]
    yield from together(markets.status(book, base) for base in [*named["fees"], *named["status"], *named["feed"]])
    yield from together(_touched(book, named, subjects))
    doubts = traders.doubted(book, named["makers"])
    yield from together([traders.settlements(book, doubts), viewed(book)])
    for kind in ("stale", "doubt"):
        for subject in list(book.facts(kind)):
            book.learn(kind, subject, None)


def _touched(book: Book, named: dict[str, list[Address]], subjects: Sequence[Sequence[str]]) -> Iterable[Inquiry]:
    """What a block's events left open, market by market."""
    for base in dict.fromkeys([*named["pool"], *named["feed"], *named["status"]]):
        yield markets.whole(book, base)
    for base in dict.fromkeys([*named["market"], *named["index"]]):
        yield markets.accumulators(book, base)
        yield markets.index(book, base)
    for base in named["track"]:
        yield markets.oldest(book, base)
    for base in named["tick"]:
        ticks = [int(rest[0]) for kind, key, *rest in subjects if kind == "tick" and key == base]
        yield markets.outside(book, base, ticks)
    for token in named["collateral"]:
        yield collateral(book, token)


def viewed(book: Book) -> Inquiry:
    """What is viewed once a block, in one batch."""
    known: Parts = book.fact("parts")
    fund, held = (call(known.settlement, "balanceOf(address)", one) for one in (known.insurance_fund, known.vault))
    prices = {
        token: call(known.collateral_manager, "getPrice(address,uint256)", Address(token), COLLATERAL_AVERAGE)
        for token in book.facts("collateral")
    }
    header = HeaderOf()
    now: Block = (yield [header])[header]
    latest = {base: markets.latest(book, base, now.timestamp) for base in book.facts("listing")}
    asks: list[Ask] = [fund, held, *prices.values(), *(read for reads in latest.values() for read in reads)]
    answers = yield asks
    book.learn("fund", "", integer(answers, fund))
    book.learn("held", "", integer(answers, held))
    for token, read in prices.items():
        entry: Collateral = book.fact("collateral", token)
        price = integer(answers, read)
        book.learn(
            "collateral", token, Collateral(entry.number, entry.ratio, entry.decimals, entry.price_decimals, price)
        )
    for base, reads in latest.items():
        markets.learn_latest(book, base, reads, answers)


def risk(book: Book) -> Inquiry:
    """Ratios and intervals of the whole exchange."""
    config = book.fact("parts").config
    names = ("getImRatio", "getMmRatio", "getLiquidationPenaltyRatio", "getMaxFundingRate", "getTwapInterval")
    reads = [call(config, f"{name}()") for name in names]
    intervals = call(config, "getMarkPriceConfig()")
    cap = call(config, "getSettlementTokenBalanceCap()")
    answers = yield [*reads, intervals, cap]
    initial, maintenance, penalty, funding, interval = (integer(answers, read) or 0 for read in reads)
    market, premium = (integer(answers, intervals, at) or 0 for at in (0, 1))
    book.learn(
        "risk", "", Risk(initial, maintenance, penalty, funding, interval, market, premium, integer(answers, cap) or 0)
    )


def collateral(book: Book, token: Address) -> Inquiry:
    """How a token counts."""
    manager, entry = book.fact("parts").collateral_manager, book.fact("collateral", token)
    config = call(manager, "getCollateralConfig(address)", token)
    decimals, feed = call(token, "decimals()"), call(manager, "getPriceFeedDecimals(address)", token)
    answers = yield [config, decimals, feed]
    ratio, own, priced = (integer(answers, read, at) or 0 for read, at in ((config, 1), (decimals, 0), (feed, 0)))
    book.learn("collateral", token, Collateral(entry.number, ratio, own, priced, entry.price))


def stopped(book: Book, house: Address) -> Inquiry:
    """Whether the clearing house or the vault is paused."""
    reads = {contract: call(contract, "paused()") for contract in (house, book.fact("parts").vault)}
    answers = yield list(reads.values())
    for contract, read in reads.items():
        book.learn("paused", contract, bool(integer(answers, read)) or None)
