"""The whole keeper liquidates on a real Morpho: the market pays first, and profit is what was foretold."""

from pathlib import Path

import pytest

from keeper.contracts.encode import encode_set_roles
from keeper.core.actions import Style
from keeper.core.plans import Role
from keeper.core.units import WAD, Address, owner
from keeper.daemon import Keeper
from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment
from keeper.demo.stage import OWNER, Stage, stage
from keeper.devnet.lenders import MorphoMarket
from keeper.devnet.morpho import Morpho
from keeper.executor.signer import LocalSigner
from keeper.indexer.inquire import inquire
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.registry import PROTOCOLS
from keeper.reports.run_report import landed
from keeper.settings import Settings

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])
PEOPLE = [Address(f"0x{0xA1 << 152 | n:040x}") for n in range(5)]
FINAL = 16  # slots after which a transaction is booked


def borrowers(morpho: Morpho) -> tuple[MorphoMarket, Address]:
    """In two markets: some will owe more than they have, and the last one consented to an earlier, gentler end."""
    weth = morpho.add_market("WETH", "USDC", lent=10**13)
    wbtc = morpho.add_market("WBTC", "DAI", lent=10**25)
    offer = morpho.offer(weth, 700, (200, 500), (1010, 1050))
    for number, account in enumerate(PEOPLE[:3]):
        morpho.borrower(account, weth, 10 * WAD, (15_000 + 1_000 * number) * 10**6)
    morpho.borrower(PEOPLE[3], wbtc, 10**8, 50_000 * WAD)
    morpho.borrower(PEOPLE[4], weth, 10 * WAD, 13_000 * 10**6)
    morpho.consent(PEOPLE[4], offer.address)
    return weth, offer.address


async def allow(at: Stage, morpho: Morpho, offer: Address, keeper: Keeper) -> None:
    """The roles that the adapter says the executor's owner has to give, and the offer's."""
    roles = dict(await inquire(keeper.pool, MorphoBlue(morpho.address).callees(), await keeper.pool.head(), 0))
    for target, role in {**roles, offer: Role.CALLED}.items():
        at.world.rpc.send(OWNER, at.executor, "0x" + encode_set_roles([target], role).hex())


async def test_bundles_land_and_profit_is_what_was_predicted(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, 2, seed, SIGNER.addresses) as at:
        morpho = Morpho.deploy(at.world)
        _, offer = borrowers(morpho)
        factories = [morpho.factory.address]
        monkeypatch.setitem(PROTOCOLS, "morpho_blue", lambda address: MorphoBlue(address, factories))
        market = {"protocol": "morpho_blue", "address": morpho.address, "from_block": 0}
        told = at.settings.model_dump()
        settings = Settings(**{**told, "markets": [*told["markets"], market]})
        async with Keeper(settings, SIGNER) as keeper:
            await allow(at, morpho, offer, keeper)
            actors = Actors(at.world)
            actors.prepare()
            await keeper.live.step()
            for factor in (0.9, 0.93):
                actors.stage(actors.move(Moment(factor)))
                actors.stage(actors.follow())
                await at.relay.slot()
                await keeper.live.step()
            for _ in range(FINAL):
                await at.relay.slot()
                await keeper.live.step()
            done = [(entry, line) for entry, line in landed(keeper.journal()) if entry.plan is not None]
            legs = {leg.account: leg for entry, _ in done if entry.plan for leg in entry.plan.legs}
            ours = {account: leg for account, leg in legs.items() if leg.protocol == "morpho_blue"}
            assert {owner(account) for account in ours} == set(PEOPLE), keeper.pipeline.watch.skips
            assert any(account.endswith(offer) for account in ours), "nobody was liquidated early"
            assert all(leg.style is Style.CALLBACK for leg in ours.values())
            for entry, line in done:
                assert abs(line.net - line.predicted) * 1_000 <= abs(line.predicted), (entry.id, line)
                assert line.net > 0
