"""Every topic and selector recomputed from its signature, and events decoded from bytes that eth_abi encoded."""

import re
from collections.abc import Sequence
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.events import Log
from keeper.core.units import Address, Hash
from keeper.protocols.perp_curie import events as e
from keeper.protocols.perp_curie import topics
from keeper.protocols.perp_curie.calls import SELECTORS
from keeper.protocols.perp_curie.decode import decode

HERE = Address("0x" + "5e" * 20)
A, B, C = (Address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB2, 0xC3))
SIGNATURES = {
    name: signature
    for signature, name in re.findall(
        r"^# event (.+)\n([A-Z0-9_]+): Final", Path(topics.__file__).read_text(), re.MULTILINE
    )
}


def test_every_topic_is_the_hash_of_its_signature() -> None:
    assert {name for name in vars(topics) if name.isupper()} == set(SIGNATURES)
    for name, signature in SIGNATURES.items():
        assert getattr(topics, name) == "0x" + keccak(text=signature).hex(), signature


def test_every_selector_is_the_hash_of_its_signature() -> None:
    for signature, selector in SELECTORS.items():
        assert selector == "0x" + keccak(text=signature)[:4].hex(), signature


def log(topic: str, indexed: Sequence[tuple[str, object]], rest: Sequence[tuple[str, object]]) -> Log:
    marks = tuple("0x" + encode([kind], [value]).hex() for kind, value in indexed)
    data = "0x" + encode([kind for kind, _ in rest], [value for _, value in rest]).hex()
    return Log(HERE, (topic, *marks), data, "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")


def addresses(*values: Address) -> list[tuple[str, object]]:
    return [("address", value) for value in values]


def test_events() -> None:
    numbers = [("int256", value) for value in (-5, 7, 3, -11, 2)]
    changed = log(topics.POSITION_CHANGED, addresses(A, B), [*numbers, ("uint256", 9)])
    assert decode(changed) == e.PositionChanged(A, B, -5, -11)
    ticks = [("int24", -60), ("int24", 120), ("int256", -1), ("int256", -2), ("int128", -3), ("uint256", 4)]
    moved = log(topics.LIQUIDITY_CHANGED, addresses(A, B, C), ticks)
    assert decode(moved) == e.LiquidityChanged(A, B, -60, 120, -1, -2, -3)
    amounts = [("uint256", value) for value in (10, 20, 30)]
    liquidated = log(topics.POSITION_LIQUIDATED, addresses(A, B), [*amounts, ("address", C)])
    assert decode(liquidated) == e.PositionLiquidated(A, B, 10, 20, 30, C)
    sold = log(topics.COLLATERAL_LIQUIDATED, addresses(A, B, C), [*amounts, ("uint24", 5)])
    assert decode(sold) == e.CollateralLiquidated(A, B, 10, 20, 30)
    added = log(topics.POOL_ADDED, [("address", A), ("uint24", 3000), ("address", B)], [])
    assert decode(added) == e.PoolAdded(A, B, 3000)
    assert decode(log(topics.PNL_REALIZED, addresses(A), [("int256", -6)])) == e.PnlRealized(A, -6)
    assert decode(log(topics.FEE_RATIO_CHANGED, [], [("address", A), ("uint24", 1)])) == e.Touched("fees", A)
    assert decode(log(topics.TICK_CAP_CHANGED, addresses(A), [("uint24", 1)])) == e.Touched("fees", A)
    assert decode(log(topics.STATUS_UPDATED, [("uint8", 1)], [])) == e.Touched("status", HERE)
    assert decode(log("0x" + "11" * 32, [], [])) is None
