"""A trigger is where the exact judge turns, to the unit and to the second, on every release."""

import pytest

from keeper.bench.edge import NOW, Edge
from keeper.core.outlook import TriggerKind
from keeper.core.units import Address, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.profiles import PROFILES

AT = Timestamp(NOW + 5)


@pytest.mark.parametrize("version", list(PROFILES))
def test_one_unit_before_a_trigger_nothing_happens(version: str, seed: int) -> None:
    edge, adapter = Edge(version, f"triggers {seed} {version}"), AaveV3(Address("0x" + "11" * 20))
    book, rows, kinds = edge.book, list(edge.accounts(200)), dict.fromkeys(TriggerKind, 0)
    below = set(adapter.liquidatable(book, rows, AT))
    for row in [row for row in rows if row not in below][:10]:
        for trigger in adapter.triggers(book, row, AT):
            kinds[trigger.kind] += 1
            if trigger.kind is TriggerKind.TIME:
                assert not adapter.liquidatable(book, [row], Timestamp(trigger.at - 1)), f"seed {seed}, {row}"
                assert adapter.liquidatable(book, [row], Timestamp(trigger.at)), f"seed {seed}, {row}"
                continue
            asset, before = Address(trigger.what), trigger.at + (-1 if trigger.rising else 1)
            assert (trigger.at > book.fact("price", asset)) == trigger.rising
            assert not adapter.liquidatable(book, [row], AT, {asset: before}), f"seed {seed}, {row}"
            assert adapter.liquidatable(book, [row], AT, {asset: trigger.at}), f"seed {seed}, {row}"
    assert kinds[TriggerKind.PRICE] >= 5


def test_who_owes_nothing_or_is_below_has_no_trigger(seed: int) -> None:
    edge, adapter = Edge("3.6", f"none {seed}"), AaveV3(Address("0x" + "11" * 20))
    rows = list(edge.accounts(80))
    below = adapter.liquidatable(edge.book, rows, AT)
    assert below
    assert not any(adapter.triggers(edge.book, row, AT) for row in below)
    idle = edge.book.open(Address("0x" + "1d" * 20))
    assert not adapter.triggers(edge.book, idle, AT)
