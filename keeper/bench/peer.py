"""Who is liquidatable when one price moves: from the book, and by asking an idle local node about everybody.

Law: both sides take turns in one process and are measured by the wall's clock, since the node is another process. The
node is asked about ``ASKED`` real accounts of a real Aave market, so many in one call as pay; its cost is linear and is
scaled to the number of accounts of the book.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from keeper.bench.screen import AT, POPULAR, World
from keeper.core.units import WAD
from keeper.devnet.aggregator import account_data, deploy_aggregator
from keeper.devnet.build import make_world
from keeper.devnet.world import World as Devnet

VERSION: Final = "3.0.2"
ASKED: Final = 250  # accounts in one call: as many as a careful keeper puts in
ROUNDS: Final = 15
REPEATED: Final = 20  # times ours runs in one measurement
SEED: Final = 11
TICK: Final = 9_999  # ten thousandths of the price: some accounts flip, as on most days
FALL: Final = 9_950  # half a percent: of a million thousands flip


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    world = World(accounts)
    world.screen.adopt(world.screen.prepare(world.now).watch())
    with make_world(VERSION) as node:
        peer, below = _peer(node)
        tick, fall = _ours(world, TICK), _ours(world, FALL)
        ours, half, everybody, asked = _medians(tick, fall, world.tick, peer)
        scaled = asked * accounts / ASKED
        return {
            "accounts": accounts,
            "asked_in_one_call": ASKED,
            "asked_liquidatable": below,
            "node_us_an_account": round(asked / ASKED * 1e6, 1),
            "node_all_accounts_ms": round(scaled * 1e3),
            "one_price_moves_us": round(ours * 1e6, 1),
            "liquidatable_then": len(tick()),
            "one_price_falls_half_a_percent_us": round(half * 1e6, 1),
            "liquidatable_after_the_fall": len(fall()),
            "all_prices_move_us": round(everybody * 1e6, 1),
            "ratio_node_to_one_price": round(scaled / ours),
            "ratio_node_to_all_prices": round(scaled / everybody),
        }


def _ours(world: World, move: int) -> Callable[[], Sequence[int]]:
    """From a price of the most popular asset to confirmed accounts."""
    price = world.now.prices[POPULAR] * move // 10_000

    def tick() -> Sequence[int]:
        then = world.now.repriced({POPULAR: price})
        rows = world.screen.flagged_for(POPULAR, then)
        return world.adapter.liquidatable(world.book, rows.tolist(), AT, {POPULAR: price})

    return tick


def _peer(node: Devnet) -> tuple[Callable[[], object], int]:
    """The same question to the node; and how many of those asked it says are below 1."""
    accounts = [one.account for one in node.borrowers(ASKED, SEED)]
    aggregator = deploy_aggregator(node)
    data = account_data(aggregator, node.pool, accounts)

    def ask() -> str:
        return node.anvil.rpc.call(aggregator.address, data, "latest", None)

    answers = aggregator.abi.decode("aggregate3", ask(), 1)
    if not all(success for success, _ in answers):
        raise RuntimeError("the node did not answer for every account")
    return ask, sum(int.from_bytes(said[-32:], "big") < WAD for _, said in answers)


def _medians(tick: Callable[[], object], *others: Callable[[], object]) -> list[float]:
    """Seconds of each, in turns."""
    variants = ((tick, REPEATED), *((work, 1) for work in others))
    seen: list[list[float]] = [[] for _ in variants]
    for work, _ in variants:
        work()
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        for (work, times), into in zip(variants, seen, strict=True):
            started = time.perf_counter()
            for _ in range(times):
                work()
            into.append((time.perf_counter() - started) / times)
    return [statistics.median(times) for times in seen]
