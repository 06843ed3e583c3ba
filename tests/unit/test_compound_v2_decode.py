"""Every topic and selector recomputed from its signature; every event decoded from bytes that eth_abi encoded."""

import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.events import Log
from keeper.core.units import Address, Hash
from keeper.protocols.compound_v2 import calls, errors, topics
from keeper.protocols.compound_v2 import events as e
from keeper.protocols.compound_v2.decode import decode, failure, liquidation

HERE = Address("0x" + "5e" * 20)
A, B, C, D = (Address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB2, 0xC3, 0xD4))
SOURCE = Path(topics.__file__).read_text()
SIGNATURES = {
    name: signature for signature, name in re.findall(r"^# event (.+)\n([A-Z0-9_]+): Final", SOURCE, re.MULTILINE)
}


def test_every_topic_is_the_hash_of_its_signature() -> None:
    names = {name for name in vars(topics) if name.isupper() and name != "QUIET"}
    assert names == set(SIGNATURES)
    for name, signature in SIGNATURES.items():
        assert getattr(topics, name) == "0x" + keccak(text=signature).hex(), signature


def test_every_selector_is_the_hash_of_its_signature() -> None:
    for signature, selector in calls.SELECTORS.items():
        assert selector == "0x" + keccak(text=signature)[:4].hex(), signature


def make(name: str, indexed: dict[int, Any], rest: dict[int, Any]) -> Log:
    """A log whose parameters stand where a fork has them, encoded by eth_abi."""
    kinds = SIGNATURES[name][SIGNATURES[name].index("(") + 1 : -1].split(",")
    assert sorted(indexed | rest) == list(range(len(kinds)))
    marks = tuple("0x" + encode([kinds[i]], [indexed[i]]).hex() for i in sorted(indexed))
    data = encode([kinds[i] for i in sorted(rest)], [rest[i] for i in sorted(rest)])
    return Log(HERE, (getattr(topics, name), *marks), "0x" + data.hex(), "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")


BIG = 2**128 - 7
CASES: list[tuple[str, dict[int, Any], dict[int, Any], e.Event]] = [
    ("TRANSFER", {0: A, 1: B}, {2: BIG}, e.Transfer(HERE, A, B, BIG)),
    ("BORROW", {}, {0: A, 1: 5, 2: BIG, 3: 9}, e.Owed(HERE, A, BIG)),
    ("REPAY_BORROW", {}, {0: A, 1: B, 2: 5, 3: BIG, 4: 9}, e.Owed(HERE, B, BIG)),
    ("ACCRUE_INTEREST", {}, {0: 1, 1: 2, 2: BIG, 3: 4}, e.Accrued(HERE, BIG)),
    ("ACCRUE_INTEREST_OLD", {}, {0: 1, 1: BIG, 2: 4}, e.Accrued(HERE, BIG)),
    ("MARKET_LISTED", {0: A}, {}, e.MarketListed(A)),
    ("MARKET_LISTED", {}, {0: A}, e.MarketListed(A)),
    ("MARKET_ENTERED", {0: A, 1: B}, {}, e.Membership(A, B, inside=True)),
    ("MARKET_ENTERED", {}, {0: A, 1: B}, e.Membership(A, B, inside=True)),
    ("MARKET_EXITED", {}, {0: A, 1: B}, e.Membership(A, B, inside=False)),
    ("POOL_SELECTED", {0: A, 2: 7}, {1: 3}, e.PoolSelected(A, 7)),
    ("FORCED_FOR_USER", {0: A, 1: B}, {2: True}, e.ForcedForUser(A, B, enabled=True)),
    ("FORCED_FOR_USER", {0: A, 1: B}, {2: False}, e.ForcedForUser(A, B, enabled=False)),
    ("LIQUIDATION_RESTRICTED", {0: A}, {}, e.Restricted(A, restricted=True)),
    ("RESTRICTIONS_DISABLED", {0: A}, {}, e.Restricted(A, restricted=False)),
    ("MINT_VAI", {}, {0: A, 1: 5}, e.StablecoinMoved(A)),
    ("REPAY_VAI", {}, {0: A, 1: B, 2: 5}, e.StablecoinMoved(B)),
    ("LIQUIDATE_VAI", {}, {0: A, 1: B, 2: 5, 3: C, 4: 6}, e.StablecoinMoved(B)),
    ("APPROVAL", {0: A, 1: B}, {2: 5}, e.Quiet()),
    ("LIQUIDATE_BORROW", {}, {0: A, 1: B, 2: 5, 3: C, 4: 6}, e.Quiet()),
]


@pytest.mark.parametrize(("name", "indexed", "rest", "event"), CASES)
def test_an_event_of_either_form(name: str, indexed: dict[int, Any], rest: dict[int, Any], event: e.Event) -> None:
    assert decode(make(name, indexed, rest)) == event


def test_what_is_not_known_is_a_change_of_configuration() -> None:
    log = Log(HERE, ("0x" + "12" * 32,), "0x", "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")
    assert decode(log) == e.Other(HERE)
    assert decode(Log(HERE, (), "0x", "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")) == e.Quiet()


def test_liquidations_by_either_contract() -> None:
    told = make("LIQUIDATE_BORROW", {}, {0: A, 1: B, 2: 5, 3: C, 4: 6})
    assert liquidation(told) == e.Liquidation(A, B, HERE, 5, C, 6)
    split = make("LIQUIDATE_BORROWED_TOKENS", {0: A, 1: B, 4: C}, {2: 5, 3: D, 5: 1, 6: 6})
    assert liquidation(split) == e.Liquidation(A, B, D, 5, C, 6)
    assert liquidation(make("MARKET_LISTED", {0: A}, {})) is None


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((3, 18, 3), "comptroller: INSUFFICIENT_SHORTFALL"),
        ((3, 18, 17), "comptroller: TOO_MUCH_REPAY"),
        ((7, 20, 0), "INVALID_CLOSE_AMOUNT_REQUESTED"),
        ((10, 1, 0), "MARKET_NOT_FRESH"),
        ((77, 1, 0), "error 77"),
    ],
)
def test_a_failure_is_told_in_words(numbers: tuple[int, int, int], said: str) -> None:
    found = failure(make("FAILURE", {}, dict(enumerate(numbers))))
    assert found == e.Failure(*numbers)
    assert errors.name(found) == said
    assert failure(make("APPROVAL", {0: A, 1: B}, {2: 5})) is None
