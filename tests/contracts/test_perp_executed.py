"""Takeovers decided by the keeper and done by its contract: margin on loan, position flat, profit as predicted."""

from dataclasses import replace
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.actions import Style
from keeper.core.plans import Plan
from keeper.core.units import WAD
from keeper.devnet.world import World
from keeper.estimator.decide import decide
from keeper.estimator.gas import Shape
from keeper.estimator.world import Candidate
from keeper.estimator.worth import complete
from keeper.indexer.inquire import inquire
from keeper.protocols.perp_curie.takeover import Takeover
from tests.contracts.estimator_devnet import Field, realised_net
from tests.contracts.perp_market import ALICE, Market, build, drop


async def allow(field: Field, market: Market) -> None:
    """What the adapter says an executor must be allowed to call."""
    chain = market.indexer.chain
    callees = await inquire(chain, market.adapter.callees(), await chain.head(), 0)
    for target, role in callees.items():
        field.rig.allow(target, role=role)


@pytest.mark.parametrize("long", [True, False])
async def test_profit_is_what_was_predicted_and_the_position_flat(
    world: World, tmp_path: Path, seed: int, *, long: bool
) -> None:
    field = Field.open(world, 0, seed)
    async with Pool([world.anvil.url]) as chain:
        market = build(world, chain, tmp_path / "state.sqlite")
        await allow(field, market)
        perp = market.perp
        world.rpc.send_all(perp.deposit(ALICE, 5_000 * 10**6))
        world.rpc.send_all([perp.open(ALICE, "LINK", 40_000 * WAD, long=long, exact_in=long)])
        drop(market, "LINK", 0.9 if long else 1.1)
        at = await market.next()
        here = field.moment(at, [*field.aave_lenders(), *field.lenders])
        actions = market.adapter.actions(market.book, market.row(ALICE), at)
        prices = complete(
            market.adapter.assets(market.book), world.asset("WETH"), [field.prices().assets], here.liquidity
        )
        candidate = Candidate(ALICE, actions, prices, market.adapter.market)
        plan = decide(here, candidate)
        assert isinstance(plan, Plan), plan
        with field.undone():
            shape, used = Shape.of(plan.legs, plan.conversions), int(field.execute(plan, here)["gasUsed"], 16)
        plan = decide(replace(here, gas=replace(field.gas, learned={shape: used})), candidate)
        assert isinstance(plan, Plan), plan
        (leg,) = plan.legs
        assert leg.style is Style.TAKEOVER
        receipt = field.execute(plan, here)
        realised = field.rig.realised(receipt)
        assert int(realised.profit) == plan.estimate.profit
        net = realised_net(field, receipt)
        assert abs(net - plan.estimate.net) * 1000 <= abs(net), (net, plan.estimate)
        assert perp.size(field.rig.address, "LINK") == 0
        assert perp.part("Vault").call("getBalance", field.rig.address) == 0
        (action,) = (one for one in actions if isinstance(one, Takeover))
        assert perp.size(ALICE, "LINK") == action.target.size - action.taken(leg.repay)
