"""The whole keeper in this process: what it reads, tries and learns decides what it does."""

from pathlib import Path

from keeper.core.refusals import Reason
from keeper.daemon import Keeper
from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment
from keeper.demo.stage import Stage, stage
from keeper.devnet.layout import USD, RiskSpec, TokenSpec
from keeper.executor.signer import LocalSigner
from keeper.settings import Settings

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])


async def crash(at: Stage, factor: float = 0.8) -> None:
    """Feeds and pools fall together, in one block."""
    actors = Actors(at.world)
    actors.prepare()
    actors.stage(actors.move(Moment(factor)))
    actors.stage(actors.follow())
    await at.relay.slot()


def with_risk(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"risk": settings.risk.model_copy(update=changes)})


async def test_a_stale_feed_is_refused_and_a_fresh_one_is_not(tmp_path: Path, seed: int) -> None:
    async with stage(tmp_path, 12, seed, SIGNER.addresses) as at:
        await crash(at)
        at.world.advance(3 * 86_400)
        async with Keeper(with_risk(at.settings, divergence=10_000), read_only=True) as keeper:
            await keeper.live.step()
            refused = keeper.pipeline.watch.skips
            assert {skip.reason for skip in refused.values()} == {Reason.ORACLE_STALE}
            assert keeper.knowledge.stale >= {at.world.asset("WETH"), at.world.asset("WBTC")}
            keeper.retune(with_risk(at.settings, divergence=10_000, heartbeat=7 * 86_400))
            at.world.advance(1)
            await keeper.live.step()
            assert keeper.knowledge.stale == frozenset()
            assert Reason.ORACLE_STALE not in {skip.reason for skip in keeper.pipeline.watch.skips.values()}
            assert keeper.pipeline.planned > 0


async def test_a_rollup_whose_sequencer_is_down_is_left_alone(tmp_path: Path, seed: int) -> None:
    async with stage(tmp_path, 12, seed, SIGNER.addresses) as at:
        uptime = at.world.add_feed("UPTIME", 1)
        await crash(at)
        async with Keeper(with_risk(at.settings, sequencer=uptime.proxy), read_only=True) as keeper:
            await keeper.live.step()
            assert {skip.reason for skip in keeper.pipeline.watch.skips.values()} == {Reason.SEQUENCER}


async def test_gas_and_shares_are_learned_and_survive_a_restart(tmp_path: Path, seed: int) -> None:
    async with stage(tmp_path, 12, seed, SIGNER.addresses) as at:
        async with Keeper(at.settings, SIGNER) as keeper:
            await keeper.live.step()
            assert keeper.knowledge.known().tokens.trips.keys() >= {at.world.asset("WETH"), at.world.asset("USDC")}
            await crash(at)
            for _ in range(4):
                await keeper.live.step()
                await at.relay.slot()
            await keeper.live.step()
            learned = keeper.knowledge.lessons
            assert learned.gas.learned
            assert learned.bids.betas
            assert all(share < learned.bids.start for share in learned.bids.betas.values())  # nobody bid against us
            assert keeper.journal().total() > 0
        async with Keeper(at.settings, SIGNER) as again:
            assert again.knowledge.lessons.bids == learned.bids
            assert again.knowledge.lessons.gas.learned.keys() <= learned.gas.learned.keys()
            assert again.knowledge.lessons.gas.learned


async def test_a_vault_that_lends_for_nothing_is_borrowed_from(tmp_path: Path, seed: int) -> None:
    async with stage(tmp_path, 4, seed, SIGNER.addresses) as at:
        vault = at.world.add_balancer("USDC", "WETH")
        settings = Settings(
            **{
                **at.settings.model_dump(),
                "lenders": [{"kind": "balancer_v2", "address": vault.address}],
            }
        )
        async with Keeper(settings, read_only=True) as keeper:
            await keeper.live.step()
            assert {loan.source for loan in keeper.knowledge.known().loans} == {vault.address}


async def test_an_asset_listed_later_is_sold_too(tmp_path: Path, seed: int) -> None:
    """Its pools are looked for when the market lists it, whatever the number of blocks since the start."""
    async with stage(tmp_path, 2, seed, SIGNER.addresses) as at, Keeper(at.settings, read_only=True) as keeper:
        await keeper.live.step()
        at.world.add_token(TokenSpec("NEW", 9, 7 * USD))
        at.world.open_v3_pool("NEW", "WETH", 3_000)
        at.world.add_reserve("NEW", RiskSpec(6000, 7000, 10_800, 2000))
        await at.relay.slot()
        await keeper.live.step()
        assert keeper.pools is not None
        assert keeper.pools.book.liquidity.between(at.world.asset("NEW"), at.world.asset("WETH"))
