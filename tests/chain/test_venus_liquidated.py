"""The whole keeper liquidates on a real Venus pool: what it seizes is redeemed, sold, and worth what was foretold."""

from pathlib import Path

import pytest

from keeper.contracts.encode import encode_set_roles
from keeper.core.plans import Role
from keeper.core.units import WAD, Address
from keeper.daemon import Keeper
from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment
from keeper.demo.stage import OWNER, Stage, stage
from keeper.devnet.venus import Venus
from keeper.executor.signer import LocalSigner
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.settings import Settings

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])
PEOPLE = [Address(f"0x{0xA1 << 152 | n:040x}") for n in range(4)]
FINAL = 16  # slots after which a transaction is booked


async def allow(at: Stage, comptroller: Address, keeper: Keeper) -> None:
    """The roles that the adapter says the executor's owner has to give."""
    roles = await inquire(keeper.pool, CompoundV2(comptroller).callees(), await keeper.pool.head(), 0)
    for role in set(roles.values()):
        targets = [target for target, wanted in roles.items() if wanted == role]
        at.world.rpc.send(OWNER, at.executor, "0x" + encode_set_roles(targets, Role(role)).hex())


async def told_by_its_logs(at: Stage, keeper: Keeper, market: Market, least: int) -> None:
    """The market's own events name each liquidation once, with the executor as who did it."""
    logs = await keeper.pool.logs(market.adapter.sources(market.book), 0, at.world.block_number())
    found = market.adapter.outcomes(market.book, logs)
    assert len(found) >= least
    assert {one.liquidator for one in found} == {at.executor}
    assert {one.account for one in found} == set(PEOPLE)


@pytest.mark.parametrize("direct", [False, True])
async def test_bundles_land_and_profit_is_what_was_predicted(tmp_path: Path, seed: int, *, direct: bool) -> None:
    async with stage(tmp_path, 2, seed, SIGNER.addresses) as at:
        venus = Venus.deploy(at.world, direct=direct)
        for number, account in enumerate(PEOPLE):
            venus.borrow(account, "WETH", 10 * WAD, "USDC", (14_000 + 300 * number) * 10**6)
        market = {"protocol": "compound_v2", "address": venus.layout.comptroller, "from_block": 0}
        told = at.settings.model_dump()
        settings = Settings(**{**told, "markets": [*told["markets"], market]})
        async with Keeper(settings, SIGNER) as keeper:
            await allow(at, venus.layout.comptroller, keeper)
            actors = Actors(at.world)
            actors.prepare()
            await keeper.live.step()
            actors.stage(actors.move(Moment(0.85)))
            actors.stage(actors.follow())
            await at.relay.slot()
            before = [venus.debt(account, "USDC") for account in PEOPLE]
            for _ in range(FINAL):
                await keeper.live.step()
                await at.relay.slot()
            await keeper.live.step()
            after = [venus.debt(account, "USDC") for account in PEOPLE]
            assert all(now < then for now, then in zip(after, before, strict=True)), keeper.pipeline.watch.skips
            lines = keeper.journal().lines()
            assert lines
            for line in lines:
                assert line.net > 0
                assert abs(line.net - line.predicted) * 1000 <= line.predicted, (line.predicted, line.net)
            market_of = next(market for market in keeper.live.indexer.markets if market.adapter.name == "compound_v2")
            assert not any(
                venus.v_token("WETH").call("balanceOf", one) for one in (at.executor, venus.layout.liquidator)
            )
            await told_by_its_logs(at, keeper, market_of, len(PEOPLE))
