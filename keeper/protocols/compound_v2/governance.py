"""What the owners of a Compound v2 market decide: which contracts it has, which vTokens, and how they count.

Law: a fork is told by what it answers, never by its name: a function it does not have is an answer too.
"""

from collections.abc import Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import address, addresses, integer, size
from keeper.core.ports import Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.facts import Config, Listing, Parts, Pool, Risk

CORE: Final = 0  # the pool everybody is in
_REPAY, _SEIZE, _LIQUIDATE = 3, 4, 5  # actions that can be paused
_OWN_TERMS: Final = 7  # words that ``markets`` returns where each has a threshold and an incentive of its own
_YEAR_MS: Final = 31_536_000_000
_SLOWEST_MS: Final = 12_000  # a block, where no model says how many there are in a year


def listed(book: Book) -> list[Address]:
    """All vTokens, also those that were taken off the list."""
    return [Address(v_token) for v_token in book.facts("listing")]


def listings(book: Book, comptroller: Address) -> Inquiry:
    """The vTokens. The comptroller's list only grows, so a place in it is a number for ever."""
    read = call(comptroller, "getAllMarkets()")
    answers = yield [read]
    v_tokens = addresses(answers, read) or []
    known = book.facts("listing")
    fresh = {v_token: number for number, v_token in enumerate(v_tokens) if v_token not in known}
    underlying = {v_token: call(v_token, "underlying()") for v_token in fresh}
    first = yield list(underlying.values())
    found = {v_token: address(first, read) for v_token, read in underlying.items()}
    decimals = {v_token: call(asset, "decimals()") for v_token, asset in found.items() if asset != ZERO_ADDRESS}
    second = yield list(decimals.values())
    for v_token, number in fresh.items():
        digits = integer(second, decimals[v_token]) if v_token in decimals else None
        book.learn("listing", v_token, Listing(number, found[v_token], 18 if digits is None else digits))


def parts(book: Book, comptroller: Address) -> Inquiry:
    """Contracts of the market and what holds for all of it."""
    names = (
        "oracle", "liquidatorContract", "vaiController", "closeFactorMantissa", "liquidationIncentiveMantissa",
        "treasuryPercent", "protocolPaused", "seizeGuardianPaused", "deviationBoundedOracle",
    )  # fmt: skip
    reads = {name: call(comptroller, f"{name}()") for name in names}
    v_tokens = listed(book)[:1]
    clock = {v_token: call(v_token, "accrualBlockTimestamp()") for v_token in v_tokens}
    model = {v_token: call(v_token, "interestRateModel()") for v_token in v_tokens}
    first = yield [*reads.values(), *clock.values(), *model.values()]
    liquidator, controller = (address(first, reads[name]) for name in ("liquidatorContract", "vaiController"))
    rules = {
        name: call(liquidator, f"{name}()")
        for name in ("treasuryPercentMantissa", "minLiquidatableVAI", "forceVAILiquidate")
    }
    vai, paused = (
        call(controller, "getVAIAddress()"),
        call(comptroller, "actionPaused(address,uint8)", controller, _LIQUIDATE),
    )
    years = [
        call(address(first, read), f"{name}()")
        for read in model.values()
        for name in ("blocksPerYear", "BLOCKS_PER_YEAR")
    ]
    second = yield [*rules.values(), vai, paused, *years]
    blocks = next((found for read in years if (found := integer(second, read))), None)
    book.learn(
        "market",
        "",
        Parts(
            oracle=address(first, reads["oracle"]),
            liquidator=liquidator,
            vai_controller=controller,
            vai=ZERO_ADDRESS if controller == ZERO_ADDRESS else address(second, vai),
            close_factor=integer(first, reads["closeFactorMantissa"]) or 0,
            incentive=integer(first, reads["liquidationIncentiveMantissa"]) or 0,
            redeem_fee=integer(first, reads["treasuryPercent"]) or 0,
            paused=any(integer(first, reads[name]) for name in ("protocolPaused", "seizeGuardianPaused")),
            treasury_percent=integer(second, rules["treasuryPercentMantissa"]) or 0,
            min_vai=integer(second, rules["minLiquidatableVAI"]) or 0,
            vai_first=bool(integer(second, rules["forceVAILiquidate"])),
            vai_paused=bool(integer(second, paused)),
            skips_empty=address(first, reads["deviationBoundedOracle"]) != ZERO_ADDRESS,
            seconds=any(integer(first, read) is not None for read in clock.values()),
            pace=_YEAR_MS // blocks if blocks else _SLOWEST_MS,
        ),
    )


def configs(book: Book, comptroller: Address, v_tokens: Sequence[Address]) -> Inquiry:
    """What owners set for some markets, and how they count in the core pool."""
    shared: Parts = book.fact("market")
    reads = {
        v_token: [
            call(comptroller, "markets(address)", v_token),
            *(call(comptroller, "actionPaused(address,uint8)", v_token, n) for n in (_SEIZE, _LIQUIDATE, _REPAY)),
            call(comptroller, "isForcedLiquidationEnabled(address)", v_token),
            call(comptroller, "isDeprecated(address)", v_token),
            call(v_token, "protocolSeizeShareMantissa()"),
        ]
        for v_token in v_tokens
    }
    answers = yield [read for group in reads.values() for read in group]
    for v_token, (terms, seize, liquidate, repay, forced, deprecated, share) in reads.items():
        own = size(answers[terms]) >= _OWN_TERMS
        threshold, incentive = (integer(answers, terms, 3 if own else 1), integer(answers, terms, 4) if own else None)
        book.learn(
            "config",
            v_token,
            Config(
                listed=bool(integer(answers, terms)),
                seize_paused=bool(integer(answers, seize)),
                liquidate_paused=bool(integer(answers, liquidate)),
                repay_paused=bool(integer(answers, repay)),
                forced=bool(integer(answers, forced) or integer(answers, deprecated)),
                seize_share=integer(answers, share) or 0,
            ),
        )
        risk = Risk(threshold or 0, shared.incentive if incentive is None else incentive)
        book.learn("risk", f"{CORE}:{v_token}", risk)


def pools(book: Book, comptroller: Address) -> Inquiry:
    """Pools beside the core pool, and the markets they list."""
    last = call(comptroller, "lastPoolId()")
    answers = yield [last]
    numbers = range(1, (integer(answers, last) or 0) + 1)
    heads = {number: call(comptroller, "pools(uint96)", number) for number in numbers}
    members = {
        (number, v_token): call(comptroller, "poolMarkets(uint96,address)", number, v_token)
        for number in numbers
        for v_token in listed(book)
    }
    answers = yield [*heads.values(), *members.values()]
    for number, read in heads.items():  # label, active, fallback
        active, fallback = (bool(integer(answers, read, at)) for at in (1, 2))
        book.learn("pool", str(number), Pool(active=active, fallback=fallback))
    for (number, v_token), read in members.items():
        risk = Risk(integer(answers, read, 3) or 0, integer(answers, read, 4) or 0)
        book.learn("risk", f"{number}:{v_token}", risk if integer(answers, read) else None)
