"""A book is a function of the chain: whoever looks at a block for the first time holds what a follower does.

Law: it does not matter which blocks were taken in together, or where somebody was interrupted and began anew.
"""

import random
from collections.abc import Callable
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.core.units import Address
from keeper.devnet.contract import Contract
from keeper.devnet.layout import ADMIN
from keeper.devnet.venus_deploy import contract_artifact
from keeper.devnet.world import World
from keeper.indexer.indexer import Indexer
from tests.chain.scenes import MakeScene, Scene, compound_v2, first_quick
from tests.chain.walker import difference

BLOCKS = 24


async def latecomer(scene: Scene, chain: Pool, path: Path, depth: int) -> Indexer:
    """Somebody who begins now."""
    made = scene.published(chain, path, depth)
    await made.advance()
    return made


async def same(scene: Scene, chain: Pool, path: Path, follower: Indexer, draw: random.Random, what: str) -> None:
    """The follower, however it came here, and whoever begins here hold the same."""
    block = await follower.advance()
    other = await latecomer(scene, chain, path / f"late {block.number}", draw.choice([4, 16, 128]))
    assert other.tip is not None
    assert other.tip.hash == block.hash
    assert not difference(other.markets[0].book, follower.markets[0].book), f"{what}, block {block.number}"
    assert other.markets[0].book.digest() == follower.markets[0].book.digest()
    other.store.close()


@first_quick
async def test_late_or_early_it_is_the_same_book(world: World, tmp_path: Path, seed: int, make: MakeScene) -> None:
    scene, draw = make(world, seed, 12), random.Random(seed)
    world.fund(*scene.walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        follower = scene.published(chain, tmp_path / "state")
        await follower.advance()
        for turn in range(BLOCKS):
            for _ in range(draw.choice([1, 1, 1, 3, 9])):
                scene.walk.play_block()
            await same(scene, chain, tmp_path, follower, draw, f"seed {seed}, turn {turn}")


async def test_where_a_compound_price_comes_from_is_of_the_block(world: World, tmp_path: Path, seed: int) -> None:
    """Sources that change while prices stand, prices that move while no feed says so, and back again."""
    scene, draw = compound_v2(world, seed, 4), random.Random(seed)
    venus, weth = scene.walk.venus, world.asset("WETH")  # type: ignore[attr-defined]
    v_token, price = venus.market("WETH").v_token, world.price("WETH")
    chainlink = Contract(world.rpc, venus.layout.chainlink_oracle, contract_artifact("ChainlinkOracle").abi)
    resilient = Contract(world.rpc, venus.layout.resilient_oracle, contract_artifact("ResilientOracle").abi)
    direct = int(chainlink.call("getPrice", weth))

    def post(value: int) -> None:
        chainlink.send("setDirectPrice", weth, value, sender=ADMIN)

    def enable(*, on: bool) -> None:
        resilient.send("enableOracle", weth, 0, on, sender=ADMIN)

    twin = world.add_feed("TWIN", price)
    steps: list[tuple[str, Callable[[], object], bool]] = [
        ("as it was", lambda: None, True),
        ("another aggregator, the same answer", lambda: world.replace_aggregator("WETH", price), True),
        ("a foretold move", lambda: world.set_price("WETH", price * 9 // 10), True),
        ("a price by hand", lambda: post(direct), False),
        ("a feed nobody asks comes to the price by hand", lambda: world.set_price("WETH", price), True),
        ("and leaves it", lambda: world.set_price("WETH", price * 8 // 10), False),
        ("nothing by hand any more", lambda: post(0), True),
        ("no oracle", lambda: enable(on=False), False),
        ("a move that nobody sees", lambda: world.set_price("WETH", price), False),
        ("the oracle again", lambda: enable(on=True), True),
        ("another proxy, the same answer", lambda: venus.set_feed("WETH", twin.proxy), True),
        ("a proxy that is none", lambda: venus.set_feed("WETH", Address("0x" + "de" * 20)), False),
        ("the first proxy again", lambda: venus.set_feed("WETH", world.layout.feeds["WETH"].proxy), True),
    ]
    async with Pool([world.anvil.url]) as chain:
        follower = scene.published(chain, tmp_path / "state")
        for what, step, followed in steps:
            step()
            await same(scene, chain, tmp_path, follower, draw, what)
            feed = follower.markets[0].book.fact("feed", v_token)
            assert (feed is not None) == followed, what
            if draw.random() < 0.5:
                world.advance(12)
