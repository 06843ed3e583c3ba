"""One keeper, several markets: a protocol is a folder, a line and tests; what is earned in all is one ledger."""

from pathlib import Path

import pytest

from keeper.core.actions import Style
from keeper.core.units import BlockNumber
from keeper.daemon import Keeper
from keeper.demo import MARKETS
from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment, story
from keeper.demo.stage import stage
from keeper.executor.signer import LocalSigner
from keeper.registry import PROTOCOLS
from keeper.reports.run_report import landed
from keeper.settings import Market
from tests.chain.empty_protocol import Nothing

SIGNER = LocalSigner([bytes.fromhex(key) for key in KEYS])


async def test_an_empty_protocol_is_one_line_and_runs_beside_the_others(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROTOCOLS, Nothing.name, Nothing)
    async with stage(tmp_path, 10, seed, SIGNER.addresses) as at:
        more = Market(protocol=Nothing.name, address=at.world.asset("USDC"), from_block=BlockNumber(0))
        settings = at.settings.model_copy(update={"markets": (more, *at.settings.markets)})
        actors = Actors(at.world)
        actors.prepare()
        actors.stage([*actors.move(Moment(0.8)), *actors.follow()])
        await at.relay.slot()
        async with Keeper(settings, SIGNER) as keeper:
            await keeper.live.step()
            assert [market.adapter.name for market in keeper.indexer.markets] == [Nothing.name, "aave_v3"]
            assert keeper.pipeline.planned > 0


@pytest.mark.slow
async def test_all_protocols_fall_and_each_is_liquidated_as_predicted(tmp_path: Path, seed: int) -> None:
    """Prefunded, by callback, takeover, bounty and auction, and by Aave's own call; several in one transaction."""
    async with stage(tmp_path, 12, seed, SIGNER.addresses, markets=MARKETS) as at:
        actors = Actors(at.world)
        actors.prepare()
        async with Keeper(at.settings, SIGNER) as keeper:
            await keeper.live.step()
            for moment in story(seed):
                actors.stage(
                    [*actors.move(moment), *actors.follow(), *(tx for act in at.acts for tx in act.moves(moment))]
                )
                await at.relay.slot()
                await keeper.live.step()
            await at.relay.slot()
            await keeper.live.step()
            plans = [(entry.plan, line) for entry, line in landed(keeper.journal())]
            assert keeper.executor is not None
            assert sum(line.net for _, line in plans) == keeper.executor.total > 0
            styles = [{leg.style for leg in plan.legs} for plan, _ in plans if plan]
            assert set().union(*styles) == set(Style)
            assert any(len(one) > 1 for one in styles), "no transaction holds several kinds"
            for plan, line in plans:
                assert plan is not None
                assert abs(line.net - plan.estimate.net) * 1000 <= plan.estimate.net, (plan.legs, line)
