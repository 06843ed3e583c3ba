"""Every topic recomputed from its signature, and every event decoded from bytes that eth_abi encoded."""

import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core import chainlink
from keeper.core.events import Log
from keeper.core.units import Address, Hash
from keeper.protocols.aave_v3 import events as e
from keeper.protocols.aave_v3 import topics
from keeper.protocols.aave_v3.decode import decode

HERE = Address("0x" + "5e" * 20)
A, B, C, D = (Address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB2, 0xC3, 0xD4))
SOURCE = "".join(Path(str(module.__file__)).read_text() for module in (topics, chainlink))
TOPICS = {name: value for module in (topics, chainlink) for name, value in vars(module).items() if name.isupper()}
SIGNATURES = {
    name: signature for signature, name in re.findall(r"^# event (.+)\n([A-Z0-9_]+): Final", SOURCE, re.MULTILINE)
}


def test_every_topic_is_the_hash_of_its_signature() -> None:
    assert set(TOPICS) - {"TOUCHED"} == set(SIGNATURES)
    for name, signature in SIGNATURES.items():
        assert TOPICS[name] == "0x" + keccak(text=signature).hex(), signature


def make(name: str, indexed: dict[int, Any], rest: dict[int, Any]) -> Log:
    """A log whose parameters stand where the signature has them, encoded by eth_abi."""
    kinds = SIGNATURES[name][SIGNATURES[name].index("(") + 1 : -1].split(",")
    assert sorted(indexed | rest) == list(range(len(kinds)))
    marks = tuple("0x" + encode([kinds[i]], [indexed[i]]).hex() for i in sorted(indexed))
    data = encode([kinds[i] for i in sorted(rest)], [rest[i] for i in sorted(rest)])
    topic = TOPICS[name]
    return Log(HERE, (topic, *marks), "0x" + data.hex(), "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")


BIG = 2**128 - 7
ID = b"PRICE_ORACLE".ljust(32, b"\0")
CASES: list[tuple[str, dict[int, Any], dict[int, Any], e.Event]] = [
    ("MINT", {0: A, 1: B}, {2: BIG, 3: 5, 4: 10**27 + 1}, e.Mint(HERE, B, BIG, 5, 10**27 + 1)),
    ("BURN", {0: A, 1: B}, {2: BIG, 3: 5, 4: 10**27 + 1}, e.Burn(HERE, A, BIG, 5, 10**27 + 1)),
    ("BALANCE_TRANSFER", {0: A, 1: B}, {2: 9, 3: 10**27}, e.BalanceTransfer(HERE, A, B, 9, 10**27)),
    ("STABLE_MINT", {0: A, 1: B}, {2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6}, e.StableMint(HERE, B, 1, 2, 3, 4)),
    ("STABLE_BURN", {0: A}, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, e.StableBurn(HERE, A, 1, 2, 3)),
    ("RESERVE_DATA_UPDATED", {0: A}, {1: 1, 2: 0, 3: 3, 4: 4, 5: 5}, e.ReserveDataUpdated(A, 1, 3, 4, 5)),
    ("RESERVE_USED_AS_COLLATERAL_ENABLED", {0: A, 1: B}, {}, e.CollateralEnabled(A, B)),
    ("RESERVE_USED_AS_COLLATERAL_DISABLED", {0: A, 1: B}, {}, e.CollateralDisabled(A, B)),
    ("USER_EMODE_SET", {0: A}, {1: 255}, e.UserEModeSet(A, 255)),
    (
        "LIQUIDATION_CALL",
        {0: A, 1: B, 2: C},
        {3: BIG, 4: 7, 5: D, 6: True},
        e.LiquidationCall(A, B, C, BIG, 7, D, receive_wrapped=True),
    ),
    (
        "LIQUIDATION_CALL",
        {0: A, 1: B, 2: C},
        {3: 1, 4: 7, 5: D, 6: False},
        e.LiquidationCall(A, B, C, 1, 7, D, receive_wrapped=False),
    ),
    ("DEFICIT_CREATED", {0: A, 1: B}, {2: BIG}, e.DeficitCreated(A, B, BIG)),
    ("DEFICIT_COVERED", {0: A}, {1: B, 2: BIG}, e.DeficitCovered(A, BIG)),
    ("RESERVE_INITIALIZED", {0: A, 1: B}, {2: C, 3: D, 4: HERE}, e.ReserveInitialized(A, B, C, D)),
    ("RESERVE_DROPPED", {0: A}, {}, e.ReserveDropped(A)),
    (
        "COLLATERAL_CONFIGURATION_CHANGED",
        {0: A},
        {1: 7500, 2: 8000, 3: 10500},
        e.CollateralConfigurationChanged(A, 8000, 10500),
    ),
    (
        "EMODE_CATEGORY_ADDED",
        {0: 3},
        {1: 9000, 2: 9300, 3: 10100, 4: D, 5: "a label longer than one word of thirty-two bytes"},
        e.EModeCategoryAdded(3, 9300, 10100, D),
    ),
    ("EMODE_ASSET_CATEGORY_CHANGED", {0: A}, {1: 1, 2: 2}, e.EModeAssetCategoryChanged(A, 2)),
    (
        "ASSET_COLLATERAL_IN_EMODE_CHANGED",
        {0: A},
        {1: 4, 2: True},
        e.AssetCollateralInEModeChanged(A, 4, collateral=True),
    ),
    (
        "ASSET_COLLATERAL_IN_EMODE_CHANGED",
        {0: A},
        {1: 1, 2: False},
        e.AssetCollateralInEModeChanged(A, 1, collateral=False),
    ),
    ("RESERVE_ACTIVE", {0: A}, {1: True}, e.ReserveActive(A, active=True)),
    ("RESERVE_FROZEN", {0: A}, {1: False}, e.ReserveFrozen(A, frozen=False)),
    ("RESERVE_PAUSED", {0: A}, {1: True}, e.ReservePaused(A, paused=True)),
    ("RESERVE_FLASH_LOANING", {0: A}, {1: True}, e.ReserveFlashLoaning(A, enabled=True)),
    ("LIQUIDATION_GRACE_PERIOD_CHANGED", {0: A}, {1: 2**40 - 1}, e.LiquidationGracePeriodChanged(A, 2**40 - 1)),
    ("LIQUIDATION_GRACE_PERIOD_DISABLED", {0: A}, {}, e.LiquidationGracePeriodChanged(A, 0)),
    ("LIQUIDATION_PROTOCOL_FEE_CHANGED", {0: A}, {1: 1000, 2: 2000}, e.LiquidationProtocolFeeChanged(A, 2000)),
    ("FLASHLOAN_PREMIUM_TOTAL_UPDATED", {}, {0: 9, 1: 5}, e.FlashloanPremiumTotalUpdated(5)),
    ("ATOKEN_UPGRADED", {0: A, 1: B, 2: C}, {}, e.TokenUpgraded(e.TokenKind.COLLATERAL, A, B, C)),
    ("VARIABLE_DEBT_TOKEN_UPGRADED", {0: A, 1: B, 2: C}, {}, e.TokenUpgraded(e.TokenKind.DEBT, A, B, C)),
    ("STABLE_DEBT_TOKEN_UPGRADED", {0: A, 1: B, 2: C}, {}, e.TokenUpgraded(e.TokenKind.STABLE, A, B, C)),
    ("POOL_UPDATED", {0: A, 1: B}, {}, e.PartUpgraded(e.POOL, B)),
    ("POOL_CONFIGURATOR_UPDATED", {0: A, 1: B}, {}, e.PartUpgraded(e.POOL_CONFIGURATOR, B)),
    ("PRICE_ORACLE_UPDATED", {0: A, 1: B}, {}, e.PartReplaced(e.PRICE_ORACLE, B)),
    ("PRICE_ORACLE_SENTINEL_UPDATED", {0: A, 1: B}, {}, e.PartReplaced(e.PRICE_ORACLE_SENTINEL, B)),
    ("ADDRESS_SET", {0: ID, 1: A, 2: B}, {}, e.PartReplaced(e.PRICE_ORACLE, B)),
    ("PROXY_CREATED", {0: b"POOL".ljust(32, b"\0"), 1: A, 2: B}, {}, e.PartCreated(e.POOL, A, B)),
    ("ADDRESS_SET_AS_PROXY", {0: ID, 1: A, 3: C}, {2: B}, e.PartCreated(e.PRICE_ORACLE, A, C)),
    ("UPGRADED", {0: A}, {}, e.Upgraded(HERE, A)),
    ("ASSET_SOURCE_UPDATED", {0: A, 1: B}, {}, e.AssetSourceUpdated(A, B)),
    ("FALLBACK_ORACLE_UPDATED", {0: A}, {}, e.FallbackOracleUpdated(A)),
    ("ANSWER_UPDATED", {0: 123456, 1: 42}, {2: 1}, e.FeedAnswered(HERE, 42, 123456)),
    ("ANSWER_UPDATED", {0: -5, 1: 42}, {2: 1}, e.FeedAnswered(HERE, 42, -5)),
    (
        "NEW_TRANSMISSION_OCR1",
        {0: 42},
        {1: 123456, 2: A, 3: [1, 2], 4: b"ab", 5: bytes(32)},
        e.FeedAnswered(HERE, 42, 123456),
    ),
    (
        "NEW_TRANSMISSION_OCR2",
        {0: 42},
        {1: -1, 2: A, 3: 7, 4: [1, 2], 5: b"ab", 6: 3, 7: bytes(32), 8: 9},
        e.FeedAnswered(HERE, 42, -1),
    ),
    ("SECONDARY_ROUND_ID_UPDATED", {0: 42}, {}, e.FeedTouched(HERE)),
    ("PRIMARY_FEED_UNLOCKED", {0: 42}, {}, e.FeedTouched(HERE)),
    ("CUTOFF_TIME_SET", {}, {0: 42}, e.FeedTouched(HERE)),
    ("AGGREGATOR_CONFIRMED", {0: A, 1: B}, {}, e.AggregatorConfirmed(HERE, B)),
]


@pytest.mark.parametrize(("name", "indexed", "rest", "expected"), CASES, ids=[case[0] for case in CASES])
def test_decodes_what_the_contract_encodes(
    name: str, indexed: dict[int, Any], rest: dict[int, Any], expected: e.Event
) -> None:
    assert decode(make(name, indexed, rest)) == expected


def test_every_topic_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(SIGNATURES)


def test_what_does_not_matter_is_none() -> None:
    log = make("UPGRADED", {0: A}, {})
    supply = "0x" + keccak(text="Supply(address,address,address,uint256,uint16)").hex()
    for marks in ((), (supply, *log.topics[1:]), ("0x" + "00" * 32,)):
        assert decode(Log(HERE, marks, "0x", "0x1", Hash("0x"), Hash("0x"), "0x0", "0x0")) is None
