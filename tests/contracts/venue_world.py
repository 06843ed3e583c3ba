"""Pools of the worst kind on the local world, and the contracts' own answers about them.

Law: nothing here computes a swap: answers come from QuoterV2, the routers and the pools themselves.
"""

from collections.abc import Generator, Iterable, Sequence
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
from eth_abi.abi import decode

from keeper.core.events import Log, Read
from keeper.core.venues import PoolKey
from keeper.devnet.contract import Contract
from keeper.devnet.layout import LENDER
from keeper.devnet.rpc import Reverted, Rpc
from keeper.devnet.world import World
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, sqrt_ratio
from keeper.venues.uniswap_v3.venue import UniswapV3

SPACING: Final = {100: 1, 500: 10, 3_000: 60, 10_000: 200}
WIDE: Final = 16_383  # the widest spacing a factory allows: one word of the bitmap spans all prices
WIDE_FEE: Final = 20_000
WHOLE: Final = 2 * MAX_TICK  # a reach that reads every tick there can be
FOREVER: Final = 2**40
_GAS: Final = hex(4_000_000_000)  # a quote that walks the whole bitmap is dear
_BATCH: Final = 250
_REVERTED: Final = 3  # JSON-RPC error code of a call that reverted


class Question(NamedTuple):
    """One call of QuoterV2. A limit of zero is no limit."""

    pool: UniswapV3Pool
    down: bool
    exact_in: bool
    amount: int
    limit: int


class Quoted(NamedTuple):
    """Its answer: the other amount, and the price afterwards."""

    amount: int
    sqrt_price: int


def calls(rpc: Rpc, reads: Iterable[Read]) -> list[str | None]:
    """Answers in order; ``None`` for a revert."""
    todo, answers = list(reads), []
    for at in range(0, len(todo), _BATCH):
        part = todo[at : at + _BATCH]
        bodies = [
            rpc._request("eth_call", ({"to": read.to, "data": read.data, "gas": _GAS}, "latest")) for read in part
        ]
        by_id = {answer["id"]: answer for answer in rpc._post(bodies)}
        for body in bodies:
            answer = by_id[body["id"]]
            assert "result" in answer or _undone(answer["error"]), answer
            answers.append(answer.get("result"))
    return answers


def _undone(error: dict[str, Any]) -> bool:
    """By ``revert``, or (a division by zero before Solidity 0.8) by an invalid instruction."""
    return bool(error["code"] == _REVERTED) or bool(error["message"] == "EVM error InvalidFEOpcode")


def ask(rpc: Rpc, inquiry: Generator[Sequence[Any], Any, Any]) -> Any:
    """Run an inquiry to its end at the head."""
    try:
        asks = next(inquiry)
        while True:
            asks = inquiry.send(dict(zip(asks, calls(rpc, asks), strict=True)))
    except StopIteration as stop:
        return stop.value


def logs_since(rpc: Rpc, block: int) -> list[Log]:
    """All logs after a block."""
    return msgspec.convert(rpc.rpc("eth_getLogs", {"fromBlock": hex(block + 1)}), list[Log])


def manager(world: World) -> Contract:
    """The position manager."""
    return world.uniswap_contract("NonfungiblePositionManager", world.layout.uniswap.position_manager)


def create_pool(world: World, one: str, other: str, fee: int, tick: int) -> PoolKey:
    """A pool without liquidity, opened within a tick of ``tick``."""
    token0, token1 = sorted((world.asset(one), world.asset(other)))
    price = sqrt_ratio(tick) + (sqrt_ratio(tick + 1) - sqrt_ratio(tick)) // 3
    manager(world).send("createAndInitializePoolIfNecessary", token0, token1, fee, price, sender=LENDER)
    factory = world.uniswap_contract("UniswapV3Factory", world.layout.uniswap.v3_factory)
    return PoolKey(factory.call("getPool", token0, token1, fee), token0, token1, fee)


def provide(world: World, key: PoolKey, lower: int, upper: int, amount: int, amount1: int = 0) -> bool:
    """Put up to ``amount`` of both tokens (or so much of token1) on a range; ``False`` when the pool refuses."""
    position = (key.token0, key.token1, key.fee, lower, upper, amount, amount1 or amount, 0, 0, LENDER, FOREVER)
    try:
        manager(world).send("mint", position, sender=LENDER)
    except Reverted:
        return False
    return True


def wild_pool(world: World, rng: Random, fee: int, symbols: tuple[str, str]) -> PoolKey:
    """Ranges of all widths and depths around a price anywhere, with gaps between them."""
    spacing = SPACING[fee]
    centre = rng.choice((0, rng.randint(-2_000, 2_000), rng.randint(-300_000, 300_000), rng.randint(-800_000, 800_000)))
    key = create_pool(world, *symbols, fee, centre)
    for symbol in symbols:
        world.mint_token(symbol, LENDER, 2**150)
    edge = MAX_TICK // spacing * spacing
    wanted, magnitude = rng.randint(5, 12), 90.0
    while wanted:
        width = max(1, int(2 ** rng.uniform(0, 14 if spacing > 1 else 11))) * spacing
        middle = centre + rng.choice((0, 0, rng.randint(-4, 4))) * width
        lower = min(max(-edge, (middle - width) // spacing * spacing), edge - spacing)
        upper = max(min(edge, (middle + width) // spacing * spacing + spacing), lower + spacing)
        if provide(world, key, lower, upper, int(2 ** rng.uniform(20, magnitude))):
            wanted -= 1
        else:
            magnitude = max(magnitude * 0.8, 30)  # far from the middle the same amount is more liquidity than fits
    if spacing > 1 and rng.random() < 0.4:
        provide(world, key, -edge, edge, int(2 ** rng.uniform(40, 80)))
    return key


def wide_pool(world: World, rng: Random, symbols: tuple[str, str]) -> PoolKey:
    """So deep and so dear that the contract's product of amount and price overflows, and it rounds in another way."""
    factory = world.uniswap_contract("UniswapV3Factory", world.layout.uniswap.v3_factory)
    if not factory.call("feeAmountTickSpacing", WIDE_FEE):
        factory.send("enableFeeAmount", WIDE_FEE, WIDE, sender=factory.call("owner"))
    key = create_pool(world, *symbols, WIDE_FEE, rng.randint(840_000, 880_000))
    for symbol in symbols:
        world.mint_token(symbol, LENDER, 2**200)
    edge = MAX_TICK // WIDE * WIDE
    dear = 2**50  # of token0, at some 2**126 of token1 each
    assert provide(world, key, -edge, edge, dear, 2 ** rng.randint(150, 175))
    assert provide(world, key, -WIDE, edge, dear, 2 ** rng.randint(150, 175))
    return key


def load_v3(world: World, key: PoolKey, reach: int = WHOLE) -> UniswapV3Pool:
    """A pool as keeper reads it from the chain."""
    pool = ask(world.rpc, UniswapV3(world.layout.uniswap.v3_factory, reach=reach).load(key))
    assert isinstance(pool, UniswapV3Pool)
    return pool


def question(rng: Random, pool: UniswapV3Pool) -> Question:
    """Amounts of all magnitudes, some to the unit up to a tick; some more than there is; some stopped by a price."""
    down, exact_in = rng.random() < 0.5, rng.random() < 0.5
    amount = int(2 ** rng.uniform(0, 110))
    stops = pool._walk(down=down)
    limit = _limit(rng, pool, down=down) if rng.random() < 0.3 else 0
    everything = stops.swap(2**255, limit or None, exact_in=True)
    if everything and rng.random() < 0.4:
        to_a_tick = rng.choice(stops.spent if exact_in else stops.bought)
        to_the_limit = everything.amount_in if exact_in else everything.amount_out
        amount = max(1, (to_the_limit if limit else to_a_tick) + rng.choice((-1, 0, 0, 1)))
    return Question(pool, down, exact_in, amount, limit)


def _limit(rng: Random, pool: UniswapV3Pool, *, down: bool) -> int:
    """A price ahead: on a tick, on the end of a word of the bitmap, or anywhere."""
    off = int(2 ** rng.uniform(0, 18))
    tick = min(max(pool.place.tick + (-off if down else off), 1 - MAX_TICK), MAX_TICK - 1)
    word = 256 * pool.ticks.spacing
    near = [one for one in (tick, tick // word * word, *pool.ticks.index) if abs(one) < MAX_TICK]
    limit = sqrt_ratio(rng.choice(near)) + rng.choice((-1, 0, 0, 1, rng.randint(0, 2**40)))
    ahead = limit < pool.place.sqrt_price if down else limit > pool.place.sqrt_price
    return limit if ahead else 0


def ask_quoter(world: World, questions: Sequence[Question]) -> list[Quoted | None]:
    """What QuoterV2 says; ``None`` where it reverts."""
    reads = []
    for ask_ in questions:
        key = ask_.pool.key
        sold, bought = (key.token0, key.token1) if ask_.down else (key.token1, key.token0)
        name = "quoteExactInputSingle" if ask_.exact_in else "quoteExactOutputSingle"
        data = world.quoter.fn(name, (sold, bought, ask_.amount, key.fee, ask_.limit))
        reads.append(Read(world.quoter.address, data))
    return [
        Quoted(*decode(("uint256", "uint160", "uint32", "uint256"), bytes.fromhex(data[2:]))[:2]) if data else None
        for data in calls(world.rpc, reads)
    ]
