"""Nobody is missed: accounts on the very edge of a Compound v2 market, judged by the comptroller's own integers."""

import random

from keeper.core.ports import Health
from keeper.core.units import WAD, Address, Timestamp
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.screen.screen import Screen
from tests.property.compound_edge import NEXT, Edge

ACCOUNTS = 2_000
SOMEBODY = Address("0x" + "11" * 20)


def judged(adapter: CompoundV2, edge: Edge, row: int) -> int:
    health = adapter.health(edge.book, row, NEXT)
    assert isinstance(health, Health)
    return health.health_factor


def test_no_account_on_the_edge_is_missed(seed: int) -> None:
    edge, adapter = Edge(f"{seed}"), CompoundV2(SOMEBODY)
    rows = list(edge.accounts(ACCOUNTS))
    below = {row for row in rows if judged(adapter, edge, row) < WAD}
    assert 0.3 * ACCOUNTS < len(below) < 0.7 * ACCOUNTS, "not on the edge"
    screen = Screen(adapter)
    screen.load(edge.book)
    flagged = set(screen.sweep(screen.weigh(edge.book, NEXT)).tolist())
    assert not below - flagged, f"seed {seed}: {len(below - flagged)} of {len(below)} missed"
    assert set(adapter.liquidatable(edge.book, sorted(flagged), NEXT)) == below


def test_nor_when_prices_are_others(seed: int) -> None:
    """What the screen sees at supposed prices is no less than what confirm does."""
    edge, adapter, draw = Edge(f"{seed} moved"), CompoundV2(SOMEBODY), random.Random(seed)
    rows = list(edge.accounts(800))
    screen = Screen(adapter)
    screen.load(edge.book)
    table = screen.weigh(edge.book, NEXT)
    whole = {asset: valued.price for asset, valued in adapter.assets(edge.book).items()}
    for asset in draw.sample([terms.asset for terms in edge.view.terms.values()], 5):
        price = max(int(whole[asset] * draw.uniform(0.9, 1.1)), 1)
        flagged = set(screen.sweep(table.repriced({asset: price})).tolist())
        below = set(adapter.liquidatable(edge.book, rows, NEXT, {asset: price}))
        assert below
        assert not below - flagged


def test_a_trigger_is_the_first_price_and_the_first_second(seed: int) -> None:
    edge, adapter = Edge(f"{seed} triggers"), CompoundV2(SOMEBODY)
    seen = 0
    for row in edge.accounts(10):
        for trigger in adapter.triggers(edge.book, row, NEXT):
            step = 1 if trigger.rising else -1
            if trigger.kind.value == "price":
                at = [{Address(trigger.what): trigger.at - step}, {Address(trigger.what): trigger.at}]
                now = [bool(adapter.liquidatable(edge.book, [row], NEXT, prices)) for prices in at]
            else:
                times = (trigger.at - 1, trigger.at)
                now = [bool(adapter.liquidatable(edge.book, [row], Timestamp(time))) for time in times]
            assert now == [False, True], (trigger, row)
            seen += 1
    assert seen > 8
