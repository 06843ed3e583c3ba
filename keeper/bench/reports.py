"""What reports cost, in full screens of the same book.

Law: a report is compared with looking at every account once, in the same run; confirmations are the adapter's own.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from keeper.bench.market import NOW, asset, market, populate
from keeper.bench.timing import medians
from keeper.core.units import Address, BlockNumber, Timestamp
from keeper.core.venues import Liquidity, PoolKey
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.reports.cascade import Cascade, cascade
from keeper.reports.ladder import falls, ladder
from keeper.reports.snapshot import Snapshot
from keeper.reports.stress import Paths, Plan, World, joined, paths, play
from keeper.venues.uniswap_v2.pool import UniswapV2Pool

STEPS: Final = 200
ROUNDS: Final = 3
DEPTH: Final = 0.6  # of a ladder
SHOCK: Final = 0.9997
PATHS: Final = 1_000
STRESSED: Final = 100_000  # accounts
CORES: Final = 2
DOLLAR: Final = asset(1)
DEEP: Final = 2 * 10**12  # base units an account on each side of a pool: a crash that stops after some rounds


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    snap = snapshot(accounts)
    return {"accounts": accounts} | _ladder(snap) | _cascade(snap) | _stress(min(accounts, STRESSED))


def snapshot(accounts: int) -> Snapshot:
    """A market with a dollar, and a pool of every asset with it."""
    book = market()
    book.learn("price", DOLLAR, 10**8)
    populate(book, accounts)
    book.take_changes()
    snap = Snapshot.of(AaveV3(Address("0x" + "11" * 20)), book, BlockNumber(1), Timestamp(NOW + 12))
    deep = DEEP * accounts
    pools = [_pool(snap, number, one, deep) for number, one in enumerate(sorted(snap.assets), start=1) if one != DOLLAR]
    return snap.beside(Liquidity.of(pools), {}, None)


def _pool(snap: Snapshot, number: int, one: Address, deep: int) -> UniswapV2Pool:
    reserves = {token: deep * snap.assets[token].unit // snap.price(token) for token in sorted((one, DOLLAR))}
    first, second = reserves
    return UniswapV2Pool(PoolKey(Address(f"0x{number:040x}"), first, second, 3_000), reserves[first], reserves[second])


def _ladder(snap: Snapshot) -> dict[str, Any]:
    steps = falls(STEPS, DEPTH)
    seen = medians(
        {"screen": lambda: snap.screen.sweep(snap.now), "ladder": lambda: ladder(snap, snap.loose, steps)}, ROUNDS
    )
    turned = ladder(snap, snap.loose, steps).accounts
    return {
        "ladder_steps": STEPS,
        "ladder_confirmed": int(turned[-1]),
        "screen_us": round(seen["screen"] * 1e6),
        "ladder_ms": round(seen["ladder"] * 1e3),
        "ratio_ladder_to_screens": round(seen["ladder"] / seen["screen"], 1),
    }


def _cascade(snap: Snapshot) -> dict[str, Any]:
    """Screens are counted: a round must not look at everybody twice."""
    shock = dict.fromkeys(sorted(snap.loose)[:1], SHOCK)
    looks, found = _counted(snap, lambda: cascade(snap, shock))
    flagged = snap.screen.sweep(snap.now.repriced({**found.rounds[-1].prices})).tolist()
    prices = found.rounds[-1].prices
    seen = medians(
        {
            "screen": lambda: snap.screen.sweep(snap.now),
            "confirm": lambda: snap.adapter.liquidatable(snap.book, flagged, snap.at, prices),
        },
        ROUNDS,
    )
    return {
        "cascade_rounds": len(found.rounds),
        "cascade_sales": len(found.sales),
        "cascade_screens_a_round": round(looks / len(found.rounds), 2),
        "ratio_confirmations_to_screen": round(seen["confirm"] / seen["screen"], 2),
    }


def _counted(snap: Snapshot, work: Callable[[], Cascade]) -> tuple[int, Cascade]:
    """How often the whole screen is looked at."""
    looks, look = 0, snap.screen.flagged

    def counted(now: Any) -> Any:  # noqa: ANN401 - a screen's own
        nonlocal looks
        looks += 1
        return look(now)

    snap.screen.flagged = counted  # type: ignore[method-assign]
    try:
        found = work()
    finally:
        snap.screen.flagged = look  # type: ignore[method-assign]
    return looks, found


def _stress(accounts: int) -> dict[str, Any]:
    """Paths on both cores against one, and against so many screens."""
    snap = snapshot(accounts)
    plan, world = Plan(paths=PATHS), World.of(snap)
    every = paths(snap, plan)
    parts = [Paths(every.factors[at : at + 25], 0) for at in range(0, PATHS, 25)]
    wall, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CORES) as pool:
        found = joined(list(pool.map(lambda part: play(world, plan, part), parts)))
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    screen = medians({"screen": lambda: snap.screen.sweep(snap.now)}, ROUNDS)["screen"]
    return {
        "stress_accounts": accounts,
        "stress_paths": len(found.many),
        "stress_seconds": round(wall, 2),
        "stress_cores_used": round(busy / wall, 2),
        "ratio_stress_step_to_screen": round(busy / (PATHS * plan.steps) / screen, 1),
    }
