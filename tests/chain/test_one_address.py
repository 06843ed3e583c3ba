"""One address in two markets of different protocols: what is known of it in one says nothing about the other."""

from pathlib import Path

from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address
from keeper.daemon import Keeper
from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment
from keeper.demo.stage import stage
from keeper.devnet.venus import Venus
from keeper.executor.signer import LocalSigner
from keeper.observer import Observer
from keeper.ops.alerts import Alerts
from keeper.settings import Settings
from keeper.store.reasons import Reasons, why
from tests.unit.ops_world import healthy

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])
WHO = Address("0x" + "a1" * 20)


async def test_each_market_has_its_own_reason(tmp_path: Path, seed: int) -> None:
    """Aave lets nothing go, Compound's debt is too small to pay; then Aave lets go, and only its reason ends."""
    async with stage(tmp_path, 2, seed, SIGNER.addresses) as at:
        venus, world = Venus.deploy(at.world), at.world
        venus.borrow(WHO, "WETH", WAD // 10_000, "USDC", 155_000)
        world.supply(WHO, "WETH", 10 * WAD)
        world.borrow(WHO, "USDC", 15_500 * 10**6)
        told = at.settings.model_dump()
        more = {"protocol": "compound_v2", "address": venus.layout.comptroller, "from_block": 0}
        settings = Settings(**{**told, "markets": [*told["markets"], more]})
        aave, compound = world.layout.aave.provider, venus.layout.comptroller
        async with Keeper(settings, read_only=True) as keeper:
            status, reasons = healthy(), Reasons(keeper.store)
            alerts = await Alerts.configured(status, settings.ops)
            Observer(keeper, status, reasons, alerts)
            actors = Actors(world)
            actors.prepare()
            world.pause("WETH", paused=True)
            actors.stage(actors.move(Moment(0.85)))
            actors.stage(actors.follow())
            await at.relay.slot()
            await keeper.live.step()
            assert keeper.pipeline.watch.unhealthy >= {(aave, WHO), (compound, WHO)}
            found = {one.market: one.reason for one in why(settings.store.path, WHO)}
            assert found == {aave: Reason.PAUSED.value, compound: Reason.UNPROFITABLE.value}
            assert {one.market: one.reason for one in reasons.of(WHO)} == found
            world.pause("WETH", paused=False)
            await at.relay.slot()
            await keeper.live.step()
            found = {one.market: one.reason for one in why(settings.store.path, WHO)}
            assert found == {aave: Reason.READ_ONLY.value, compound: Reason.UNPROFITABLE.value}
            assert (aave, WHO) not in keeper.pipeline.watch.skips
            assert keeper.pipeline.watch.skips[compound, WHO].reason is Reason.UNPROFITABLE
            await alerts.close()
