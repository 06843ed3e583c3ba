"""The daemon hears of rivals who buy from auctions, and knows of them after a restart."""

from pathlib import Path

from keeper.core.units import RAD, WAD, Address
from keeper.daemon import Keeper
from keeper.demo.run import KEYS
from keeper.demo.stage import stage
from keeper.devnet.maker import Maker
from keeper.estimator.rivals import Offered
from keeper.executor.signer import LocalSigner
from keeper.settings import Settings

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])
URN, RIVAL = Address("0x" + "ab" * 20), Address("0x" + "77" * 20)


async def test_what_rivals_do_is_known_after_a_restart(tmp_path: Path, seed: int) -> None:
    async with stage(tmp_path, 2, seed, SIGNER.addresses) as at:
        world, maker = at.world, Maker(at.world)
        world.fund(URN, RIVAL)
        maker.fall("ETH-A", 2_700 * WAD)
        maker.open("ETH-A", URN, 10 * WAD, 16_800 * WAD)
        maker.fall("ETH-A", 2_000 * WAD)
        maker.bark("ETH-A", URN, RIVAL)
        world.rpc.send_all(maker.rich_txs(RIVAL, "ETH-A", 40_000 * WAD))
        told = at.settings.model_dump()
        entry = maker.chainlog.address
        more = {"protocol": "maker_clip", "address": entry, "from_block": 0}
        settings = Settings(**{**told, "markets": [*told["markets"], more]})
        what = Offered(entry, world.asset("WETH"))
        async with Keeper(settings, read_only=True) as keeper:
            await keeper.live.step()
            began = int(maker.sale("ETH-A", 1)["tic"])
            world.advance(began + 3_000 - 12 - world.timestamp())
            await keeper.live.step()
            assert keeper.knowledge.lessons.rivals.ended == {}
            world.rpc.send_all([maker.take_tx("ETH-A", 1, RIVAL, 2 * WAD)])
            await keeper.live.step()
            (margin,) = keeper.knowledge.lessons.rivals.ended[what]
            price = maker.sale("ETH-A", 1)["top"] * 99**33 // 100**33
            assert margin == (2_000 * RAD // 10**18 - price) * 10_000 // price, "33 steps of 90 seconds"
        async with Keeper(settings, read_only=True) as again:
            assert again.knowledge.lessons.rivals.ended == {what: (margin,)}
