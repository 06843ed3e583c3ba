"""Every topic and selector recomputed from its signature, and every event decoded from bytes that eth_abi encoded."""

import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.grammar import parse
from eth_utils.crypto import keccak

from keeper.core.events import Log
from keeper.core.units import Address, Hash
from keeper.protocols.morpho_blue import calls, liquidations, topics
from keeper.protocols.morpho_blue import events as e
from keeper.protocols.morpho_blue.decode import decode

HERE = Address("0x" + "5e" * 20)
A, B, C, D = (Address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB2, 0xC3, 0xD4))
ID = "0x" + "1d" * 32
RAW = bytes.fromhex(ID[2:])
BIG = 2**128 - 7
SOURCE = Path(str(topics.__file__)).read_text()
SIGNATURES = {
    name: signature for signature, name in re.findall(r"^# event (.+)\n([A-Z0-9_]+): Final", SOURCE, re.MULTILINE)
}


def test_every_topic_is_the_hash_of_its_signature() -> None:
    assert {name for name in vars(topics) if name.isupper()} == set(SIGNATURES)
    for name, signature in SIGNATURES.items():
        assert getattr(topics, name) == "0x" + keccak(text=signature).hex(), signature


def test_every_selector_is_the_hash_of_its_signature() -> None:
    for signature, selector in calls.SELECTORS.items():
        assert selector == "0x" + keccak(text=signature)[:4].hex(), signature
    source = Path(str(liquidations.__file__)).read_text()
    named = re.findall(r'^[A-Z_]+ = "([0-9a-f]{8})"  # (.+)$', source, re.MULTILINE)
    assert len(named) == 3
    assert all(selector == keccak(text=signature)[:4].hex() for selector, signature in named)


def make(name: str, indexed: dict[int, Any], rest: dict[int, Any]) -> Log:
    """A log whose parameters stand where the signature has them, encoded by eth_abi."""
    whole = parse(SIGNATURES[name][SIGNATURES[name].index("(") :])
    kinds = [part.to_type_str() for part in whole.components]
    assert sorted(indexed | rest) == list(range(len(kinds)))
    marks = tuple("0x" + encode([kinds[i]], [indexed[i]]).hex() for i in sorted(indexed))
    data = encode([kinds[i] for i in sorted(rest)], [rest[i] for i in sorted(rest)])
    return Log(
        HERE, (getattr(topics, name), *marks), "0x" + data.hex(), "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0"
    )  # fmt: skip


CASES: list[tuple[str, dict[int, Any], dict[int, Any], e.Event]] = [
    ("CREATE_MARKET", {0: RAW}, {1: (A, B, C, D, 86)}, e.CreateMarket(ID, A, B, C, D, 86)),
    ("SUPPLY", {0: RAW, 1: A, 2: B}, {3: BIG, 4: 5}, e.Lent(ID, BIG, 5)),
    ("WITHDRAW", {0: RAW, 2: B, 3: C}, {1: A, 4: BIG, 5: 5}, e.Lent(ID, -BIG, -5)),
    ("BORROW", {0: RAW, 2: B, 3: C}, {1: A, 4: BIG, 5: 5}, e.Borrowed(ID, B, BIG, 5)),
    ("REPAY", {0: RAW, 1: A, 2: B}, {3: BIG, 4: 5}, e.Borrowed(ID, B, -BIG, -5)),
    ("SUPPLY_COLLATERAL", {0: RAW, 1: A, 2: B}, {3: BIG}, e.Pledged(ID, B, BIG)),
    ("WITHDRAW_COLLATERAL", {0: RAW, 2: B, 3: C}, {1: A, 4: BIG}, e.Pledged(ID, B, -BIG)),
    ("LIQUIDATE", {0: RAW, 1: A, 2: B}, {3: 1, 4: 2, 5: 3, 6: 4, 7: 5}, e.Liquidate(ID, A, B, 1, 2, 3, 4, 5)),
    ("ACCRUE_INTEREST", {0: RAW}, {1: 1, 2: 2, 3: 3}, e.AccrueInterest(ID, 1, 2, 3)),
    ("SET_FEE", {0: RAW}, {1: 10**17}, e.SetFee(ID, 10**17)),
    ("SET_AUTHORIZATION", {0: A, 1: B, 2: C}, {3: True}, e.SetAuthorization(B, C, given=True)),
    ("SET_AUTHORIZATION", {0: A, 1: B, 2: C}, {3: False}, e.SetAuthorization(B, C, given=False)),
    ("BORROW_RATE_UPDATE", {0: RAW}, {1: 1, 2: 2}, e.BorrowRateUpdate(ID, 1, 2)),
    (
        "CREATE_PRE_LIQUIDATION",
        {0: A},
        {1: RAW, 2: (1, 2, 3, 4, 5, B)},
        e.CreatePreLiquidation(A, ID, 1, (2, 3), (4, 5), B),
    ),
    ("PRE_LIQUIDATE", {0: RAW, 1: A, 2: B}, {3: 1, 4: 2, 5: 3}, e.PreLiquidate(ID, A, B, 1, 2, 3)),
]


@pytest.mark.parametrize(("name", "indexed", "rest", "expected"), CASES, ids=[case[0] for case in CASES])
def test_decodes_what_the_contract_encodes(
    name: str, indexed: dict[int, Any], rest: dict[int, Any], expected: e.Event
) -> None:
    assert decode(make(name, indexed, rest)) == expected


def test_every_topic_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(SIGNATURES)


def test_what_does_not_matter_is_none() -> None:
    log = make("SET_FEE", {0: RAW}, {1: 1})
    for marks in ((), ("0x" + keccak(text="FlashLoan(address,address,uint256)").hex(), *log.topics[1:])):
        assert decode(Log(HERE, marks, "0x", "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")) is None
