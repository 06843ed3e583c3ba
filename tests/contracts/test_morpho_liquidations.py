"""What is computed of a liquidation is what the contract does, to the wei, also where it reverts."""

import random
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from keeper.chain.pool import Pool
from keeper.core.refusals import Reason
from keeper.core.units import Address, Timestamp
from keeper.devnet.contract import Contract
from keeper.devnet.lenders import MorphoMarket, morpho_artifact
from keeper.devnet.morpho import Morpho, market_id
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.indexer.indexer import Indexer
from keeper.protocols.morpho_blue import irm, liquidation, maths
from keeper.protocols.morpho_blue.accrual import accrued
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.events import Liquidate
from keeper.protocols.morpho_blue.facts import State
from keeper.protocols.morpho_blue.liquidation import Outcome, Position
from keeper.protocols.morpho_blue.liquidations import Liquidation
from keeper.store.store import Store

LIQUIDATOR: Final = Address("0x" + "77" * 20)
PLENTY: Final = 2**120
SECONDS: Final = 12  # from one block to the next


def told_market(morpho: Morpho, collateral: str, loan: str, limit: int) -> tuple[MorphoMarket, Contract]:
    """A market whose price is set at will, with money in it."""
    world = morpho.world
    oracle = morpho.told_oracle(10**36)
    market = morpho.create_market(world.asset(collateral), world.asset(loan), oracle.address, limit)
    world.rpc.send_all(morpho.supply_txs(LIQUIDATOR, market, 10**30))
    return market, oracle


def position_of(morpho: Morpho, market: MorphoMarket, account: Address, price: int) -> Position:
    """As it will be in the next block, from the contracts' storage."""
    _, shares, collateral = morpho.position(account, market)
    state, at = State(*morpho.totals(market)), morpho.world.timestamp() + SECONDS
    target = int(morpho.adaptive.call("rateAtTarget", market_id(market)))
    after = accrued(state, irm.borrow_rate(state, target, at - state.updated)[0], at)
    assert after is not None
    factor, totals = maths.incentive(market.lltv), (after.borrow_assets, after.borrow_shares)
    return Position(collateral, shares, price, factor, *totals, shares, writes_off=True)


def unhealthy(position: Position, lltv: int) -> bool:
    """Whether there is anything to liquidate."""
    debt = maths.assets_up(position.shares, position.total_assets, position.total_shares)
    return maths.limit(position.collateral, position.price, lltv) < debt


def executed(morpho: Morpho, market: MorphoMarket, account: Address, seized: int, shares: int) -> Outcome | None:
    """What the contract does with these inputs in the next block; ``None``: it reverts."""
    try:
        receipt = morpho.contract.send("liquidate", market.params, account, seized, shares, b"", sender=LIQUIDATOR)
    except Reverted as error:
        if "healthy" in error.reason:
            raise
        return None
    found = [decode(_Log(log["topics"], log["data"])) for log in receipt["logs"]]  # type: ignore[arg-type]
    (event,) = [event for event in found if isinstance(event, Liquidate)]
    return Outcome(event.repaid, event.repaid_shares, event.seized, event.bad_debt, event.bad_shares)


class _Log:
    """As much of a log as decoding takes."""

    def __init__(self, topics: list[str], data: str) -> None:
        self.topics, self.data = tuple(topics), data


def drawn_inputs(draw: random.Random, position: Position) -> tuple[int, int]:
    """Amounts to seize or shares to repay: whole, a part, an edge, or too much."""
    whole = position.collateral if (seizing := draw.random() < 0.5) else position.shares
    amount = draw.choice(
        [whole, whole - 1, whole + 1, 1, 2, draw.randint(1, whole), draw.randint(1, whole), int(whole * 1.1) + 2]
    )
    return (max(amount, 1), 0) if seizing else (0, max(amount, 1))


def play(world: World, seed: int, rounds: int) -> Counter[str]:
    """Random positions in random markets fall by a random depth and are liquidated by random inputs."""
    draw, morpho = random.Random(seed), Morpho.deploy(world)
    world.fund(LIQUIDATOR)
    for symbol in ("WETH", "USDC", "DAI", "WBTC"):
        world.rpc.send_all(world.hand_out(symbol, LIQUIDATOR, PLENTY, morpho.address))
    markets = [
        told_market(morpho, *names) for names in (("WETH", "USDC", 860), ("WBTC", "DAI", 770), ("DAI", "WETH", 980))
    ]
    seen: Counter[str] = Counter()
    for turn in range(rounds):
        market, oracle = draw.choice(markets)
        account = Address(f"0x{draw.getrandbits(160):040x}")
        price = int(10 ** draw.uniform(33, 39))
        oracle.send("setPrice", price, sender=LIQUIDATOR)
        collateral = int(10 ** draw.uniform(3, 21))
        most = maths.limit(collateral, price, market.lltv) * 999 // 1000
        if not 0 < most < 10**28:
            continue
        morpho.borrower(account, market, collateral, max(int(most * draw.choice([1, 1, 0.6])), 1))
        if draw.random() < 0.3:
            world.advance(draw.choice([3600, 86_400, 60 * 86_400]))
        price = max(int(price * draw.choice([0.5, 0.7, 0.9, 0.94, 0.99])), 1)
        oracle.send("setPrice", price, sender=LIQUIDATOR)
        position = position_of(morpho, market, account, price)
        if not unhealthy(position, market.lltv):
            continue
        for _ in range(draw.choice([1, 2, 3])):
            seized, shares = drawn_inputs(draw, position)
            expected = liquidation.by_seized(position, seized) if seized else liquidation.by_shares(position, shares)
            assert executed(morpho, market, account, seized, shares) == expected, f"seed {seed}, turn {turn}"
            kind = "seized" if seized else "shares"
            seen["reverted" if expected is None else "bad debt" if expected.bad_shares else kind] += 1
            position = position_of(morpho, market, account, price)
            if not position.shares or not unhealthy(position, market.lltv):
                break
    print(f"seed {seed}: {dict(seen)}")  # noqa: T201
    return seen


def test_random_liquidations(world: World, seed: int) -> None:
    seen = play(world, seed, rounds=40)
    assert min(seen[kind] for kind in ("seized", "shares", "reverted", "bad debt")) > 0


@pytest.mark.slow
def test_many_random_liquidations(world: World, seed: int) -> None:
    seen = play(world, seed + 1, rounds=480)
    assert seen.total() >= 500
    assert min(seen[kind] for kind in ("seized", "shares", "reverted", "bad debt")) > 20


# from the book -----------------------------------------------------------------------------------------------------


def bare(action: Liquidation, repay: int) -> str:
    """The action's own call, but for somebody without code: it must not be called back."""
    (call,) = action.calls(repay)
    assert call.target == action.market
    return "0x" + (call.data[:-64] + bytes(32)).hex()


def balances(world: World, action: Liquidation) -> tuple[int, int]:
    """Of the liquidator, in collateral and debt."""
    symbols = {token.address: symbol for symbol, token in world.layout.tokens.items()}
    held, owed = (world.balance(symbols[one], LIQUIDATOR) for one in (action.collateral_asset, action.debt_asset))
    return held, owed


def try_out(world: World, action: Liquidation, repay: int) -> None:
    """In a block that is undone: what it takes and brings is what was settled."""
    snapshot = world.rpc.rpc("evm_snapshot")
    symbol = next(symbol for symbol, token in world.layout.tokens.items() if token.address == action.debt_asset)
    world.rpc.send_all(world.hand_out(symbol, LIQUIDATOR, 2 * repay + 10, action.spender))
    expected, before = action.settle(repay), balances(world, action)
    world.rpc.send(LIQUIDATOR, action.market, bare(action, repay))
    after = balances(world, action)
    assert (before[1] - after[1], after[0] - before[0]) == (expected.paid, expected.received), action
    assert expected.paid <= repay
    world.rpc.rpc("evm_revert", snapshot)
    world.rpc.rpc("anvil_dropAllTransactions")


def crowd(morpho: Morpho, draw: random.Random) -> None:
    """Borrowers of two markets at every distance from the limit; of the first, most consented to an offer."""
    world = morpho.world
    markets = [morpho.add_market(*names, lent=10**30) for names in (("WETH", "USDC", 860), ("WBTC", "WETH", 770))]
    offer = morpho.offer(markets[0], 700, (100, 400), (1010, 1060))
    for _ in range(24):
        market = draw.choice(markets)
        account = Address(f"0x{draw.getrandbits(160):040x}")
        unit = world.layout.tokens["WETH" if market is markets[0] else "WBTC"].unit
        collateral = int(unit * 10 ** draw.uniform(-3, 3))
        price = int(Contract(world.rpc, market.oracle, morpho_artifact("OracleMock").abi).call("price"))
        most = maths.limit(collateral, price, market.lltv)
        morpho.borrower(account, market, collateral, int(most * draw.uniform(0.8, 0.999)))
        if market is markets[0] and draw.random() < 0.6:
            morpho.consent(account, offer.address)


@pytest.mark.slow
async def test_offered_from_the_book_and_executed(world: World, tmp_path: Path, seed: int) -> None:
    """A fall of a tenth, and one after which collateral is worth less than debt, tried at the ends and inside."""
    draw, morpho = random.Random(seed), Morpho.deploy(world)
    world.fund(LIQUIDATOR)
    crowd(morpho, draw)
    tried: Counter[str] = Counter()
    async with Pool([world.anvil.url]) as chain:
        adapter = MorphoBlue(morpho.address, [morpho.factory.address])
        indexer = Indexer(chain, Store(tmp_path / "s", 31337), [(adapter, 0)])
        for factor in (0.99, 0.9, 0.8):
            world.set_price("WETH", int(world.price("WETH") * factor))
            world.set_price("WBTC", int(world.price("WBTC") * factor**3))
            block = await indexer.advance()
            book = indexer.markets[0].book
            for row in range(len(book)):
                for action in adapter.actions(book, row, Timestamp(block.timestamp + 2 * SECONDS)):
                    if isinstance(action, Reason):
                        tried[action.name] += 1
                        continue
                    assert isinstance(action, Liquidation)
                    for low, high in action.intervals():
                        for repay in {low, high, draw.randint(low, high)}:
                            try_out(world, action, repay)
                            tried["offer" if action.own else "seized" if action.seizing else "shares"] += 1
    assert min(tried[kind] for kind in ("offer", "seized", "shares", "INACTIVE")) > 2, tried
