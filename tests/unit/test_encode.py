"""Calldata against an ABI library that shares nothing with the encoder, official vectors, mainnet's own addresses."""

from dataclasses import replace

import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from keeper.contracts.artifact import artifact
from keeper.contracts.encode import (
    EXECUTE,
    LIQUIDATION_CALL,
    LIQUIDATION_CALL_L2,
    SET_ROLES,
    Executor,
    Factory,
    create2_address,
    encode_liquidation_call,
    encode_liquidation_call_l2,
    encode_plan,
    encode_set_roles,
    pool_address,
)
from keeper.core.actions import Settlement, Witness
from keeper.core.plans import Estimate, Funding, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind
from keeper.core.units import MAX_U128, MAX_U256, ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Wei

V2_HASH = bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f")
V3_HASH = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
UNISWAP_V2 = Factory(VenueKind.UNISWAP_V2, Address("0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"), V2_HASH)
UNISWAP_V3 = Factory(VenueKind.UNISWAP_V3, Address("0x1f98431c8ad98523631ae4a59f267346ea31f984"), V3_HASH)
WETH = Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
USDC = Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
WBTC = Address("0x2260fac5e5542a773aa44fbcfedf7c193bc2c599")
WETH_USDC_500 = Address("0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640")
WETH_USDC_V2 = Address("0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc")
EXECUTOR = Executor(Address("0x" + "e1" * 20), WETH, (UNISWAP_V2, UNISWAP_V3))
MARKET, ACCOUNT, DEBT_TOKEN, OTHER = (Address("0x" + digits * 20) for digits in ("a1", "b2", "c3", "d4"))
NOTHING = Estimate(*[Wei(0)] * 9)

DIRECT = Leg(
    "aave_v3",
    MARKET,
    ACCOUNT,
    WETH,
    USDC,
    Amount(1_000),
    Settlement(Amount(0), Amount(0), Amount(0)),
    receive_wrapped=False,
    funding=Funding(
        FundingKind.UNISWAP_V3_FLASH_SWAP, WETH_USDC_500, Amount(1_000), Amount(9), Amount(0), pool_fee=500
    ),
    swaps=(),
    witness=Witness(DEBT_TOKEN, Amount(900)),
)
HOP = Hop(VenueKind.UNISWAP_V3, WETH_USDC_500, WETH, USDC, 500)
PLAN = Plan(
    "x",
    BlockNumber(1),
    BlockNumber(77),
    (DIRECT,),
    (),
    WETH,
    Amount(5),
    Bps(9_000),
    0,
    Wei(0),
    Wei(0),
    NOTHING,
)


def sale(*hops: Hop, rest: bool = False) -> SwapLeg:
    return SwapLeg(Amount(1), Amount(1), Amount(1), hops, rest=rest)


def words(data: bytes) -> list[int]:
    body = data[4:]
    return [int.from_bytes(body[at : at + 32], "big") for at in range(0, len(body), 32)]


def test_selectors_are_those_of_the_compiled_contract_and_of_aave() -> None:
    own = {item["name"]: item for item in artifact().abi if item["type"] == "function"}
    assert [each["type"] for each in own["execute"]["inputs"]] == ["uint256"]
    assert [each["type"] for each in own["set_roles"]["inputs"]] == ["address[]", "uint256"]
    assert keccak(text="execute(uint256)")[:4] == EXECUTE
    assert keccak(text="set_roles(address[],uint256)")[:4] == SET_ROLES
    assert keccak(text="liquidationCall(address,address,address,uint256,bool)")[:4] == LIQUIDATION_CALL
    assert keccak(text="liquidationCall(bytes32,bytes32)")[:4] == LIQUIDATION_CALL_L2


def test_liquidation_call_is_what_an_abi_library_makes_of_it() -> None:
    for leg in (DIRECT, replace(DIRECT, repay=Amount(MAX_U256), receive_wrapped=True)):
        types = ("address", "address", "address", "uint256", "bool")
        fields = (leg.collateral_asset, leg.debt_asset, leg.account, leg.repay, leg.receive_wrapped)
        assert encode_liquidation_call(leg) == LIQUIDATION_CALL + encode(types, fields)


def test_set_roles_is_what_an_abi_library_makes_of_it() -> None:
    for targets in ([], [MARKET], [MARKET, OTHER, ACCOUNT]):
        expected = SET_ROLES + encode(("address[]", "uint256"), (targets, Role.MARKET | Role.POOL))
        assert encode_set_roles(targets, Role.MARKET | Role.POOL) == expected


def test_compact_form_of_l2_pools_is_the_golden_vector() -> None:
    account = Address("0x1234567890abcdef1234567890abcdef12345678")
    data = encode_liquidation_call_l2(7, 3, account, MAX_U256, wrapped=True)
    assert data[:4] == LIQUIDATION_CALL_L2
    assert data[4:36].hex() == "1234567890abcdef1234567890abcdef1234567800030007".rjust(64, "0")
    assert data[36:].hex() == "1ffffffffffffffffffffffffffffffff".rjust(64, "0")
    data = encode_liquidation_call_l2(0xFFFF, 0, account, 5, wrapped=False)
    assert words(data) == [int(account, 16) << 32 | 0xFFFF, 5]


@pytest.mark.parametrize(
    ("deployer", "salt", "init_code", "address"),
    [  # the examples of EIP-1014
        ("00" * 20, "00" * 32, "00", "0x4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38"),
        ("deadbeef" + "00" * 16, "00" * 32, "00", "0xb928f69bb1d91cd65274e3c79d8986362984fda3"),
        ("deadbeef" + "00" * 16, "00" * 12 + "feed" + "00" * 18, "00", "0xd04116cdd17bebe565eb2422f2497e06cc1c9833"),
        ("00" * 20, "00" * 32, "deadbeef", "0x70f2b2914a2a4b783faefb75f459a580616fcb5e"),
        ("00" * 16 + "deadbeef", "00" * 28 + "cafebabe", "deadbeef", "0x60f3f640a8508fc6a86d45df051962668e1e8ac7"),
        ("00" * 16 + "deadbeef", "00" * 28 + "cafebabe", "deadbeef" * 11, "0x1d8bfdc5d46dc4f61d6b6115972536ebe6a8854c"),
        ("00" * 20, "00" * 32, "", "0xe33c0c7f7df4809055c3eba6c09cfe4baf1bd9e0"),
    ],
)
def test_create2_addresses_are_those_of_the_standard(deployer: str, salt: str, init_code: str, address: str) -> None:
    found = create2_address(Address("0x" + deployer), bytes.fromhex(salt), keccak(bytes.fromhex(init_code)))
    assert found == address


def test_pool_addresses_are_those_of_mainnet() -> None:
    assert pool_address(UNISWAP_V3, USDC, WETH, 500) == pool_address(UNISWAP_V3, WETH, USDC, 500) == WETH_USDC_500
    assert pool_address(UNISWAP_V3, WBTC, WETH, 3000) == "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
    assert pool_address(UNISWAP_V2, WETH, USDC, 3000) == WETH_USDC_V2


def test_a_direct_flash_swap_needs_six_words_and_no_pool_address() -> None:
    head, *step = words(encode_plan(PLAN, EXECUTOR))
    assert head == 1 << 224 | 9_000 << 192 | 77 << 128 | 5
    assert step == [
        4 << 168 | 1 << 160 | int(MARKET, 16),
        900 << 160 | int(ACCOUNT, 16),
        1 << 196 | 1 << 184 | 500 << 160 | int(WETH, 16),
        int(USDC, 16),
        1_000 << 128 | 1_000,
        int(DEBT_TOKEN, 16),
    ]


def test_the_layout_is_decodable_by_an_abi_library_as_static_words() -> None:
    data = encode_plan(PLAN, EXECUTOR)
    assert decode(["uint256[7]"], data[4:]) == (tuple(words(data)),)


def test_legs_with_siblings_can_fail_alone() -> None:
    plan = replace(PLAN, legs=(DIRECT, replace(DIRECT, gas_limit=600_000)))
    found = words(encode_plan(plan, EXECUTOR))
    assert found[0] >> 224 == 2
    assert found[1] >> 168 & 1 == found[7] >> 168 & 1 == 1
    assert (found[1] >> 192, found[7] >> 192) == (0, 600_000)
    alone = replace(PLAN, legs=(replace(DIRECT, gas_limit=600_000),))
    assert words(encode_plan(alone, EXECUTOR))[1] >> 192 == 0


def test_a_probe_is_asked_for_by_the_executor_not_by_the_plan() -> None:
    assert words(encode_plan(PLAN, replace(EXECUTOR, probe=True)))[1] >> 168 & 31 == 4 | 16


def test_a_pool_that_no_factory_made_travels_as_an_address() -> None:
    funding = replace(DIRECT.funding, source=OTHER)
    found = words(encode_plan(replace(PLAN, legs=(replace(DIRECT, funding=funding),)), EXECUTOR))
    assert found[1] >> 168 & 31 == 4 | 8
    assert found[-1] == int(OTHER, 16)


def test_the_lender_is_named_only_when_it_is_not_the_market() -> None:
    loan = Funding(FundingKind.AAVE_FLASH_LOAN, MARKET, Amount(1_000), Amount(1_001), Amount(1))
    swap = SwapLeg(Amount(3), Amount(1_001), Amount(0), (HOP,), rest=True, exact_out=True)
    leg = replace(DIRECT, funding=loan, swaps=(swap,), witness=None)
    found = words(encode_plan(replace(PLAN, legs=(leg,)), EXECUTOR))
    hop = 1 << 196 | (1 | 4) << 192 | 1 << 184 | 500 << 160 | int(USDC, 16)
    assert found[1:] == [1 << 176 | 2 << 160 | int(MARKET, 16), int(ACCOUNT, 16), int(WETH, 16), int(USDC, 16),
                         1_000 << 128 | 1_000, hop]  # fmt: skip
    elsewhere = replace(leg, funding=replace(loan, source=OTHER))
    assert words(encode_plan(replace(PLAN, legs=(elsewhere,)), EXECUTOR))[6] == int(OTHER, 16)


def by_loan(source: Address = MARKET, *, joins: bool = False) -> Leg:
    loan = Funding(FundingKind.AAVE_FLASH_LOAN, source, Amount(1_000), Amount(1_001), Amount(1), joins=joins)
    return replace(DIRECT, funding=loan, witness=None)


def test_legs_of_a_shared_loan_say_so_and_the_last_one_closes_it_and_names_the_lender() -> None:
    legs = (by_loan(OTHER), by_loan(OTHER, joins=True), by_loan(OTHER, joins=True), by_loan(OTHER))
    found = words(encode_plan(replace(PLAN, legs=legs), EXECUTOR))
    assert found[0] >> 224 == 4
    skippable, source, shared, closing = 1, 8, 32, 64
    assert [found[at] >> 168 & 127 for at in (1, 6, 11, 17)] == [
        skippable | shared,
        skippable | shared,
        skippable | source | shared | closing,
        skippable | source,
    ]
    assert found[16] == found[22] == int(OTHER, 16)
    assert len(found) == 23


def test_a_leg_that_joins_nobody_borrows_for_itself() -> None:
    alone, joins = (replace(PLAN, legs=(by_loan(joins=joins),)) for joins in (False, True))
    assert encode_plan(alone, EXECUTOR) == encode_plan(joins, EXECUTOR)


def test_router_calldata_follows_its_hop_padded_to_words() -> None:
    data = bytes(range(1, 38))
    routed = Hop(VenueKind.ROUTER, OTHER, WBTC, WETH, 0, "0x" + data.hex())
    conversion = SwapLeg(Amount(1), Amount(1), Amount(0), (routed,), rest=True)
    found = encode_plan(replace(PLAN, conversions=(conversion,)), EXECUTOR)
    token, hop, router, *payload = words(found)[1:6]
    assert token == 4 << 160 | int(WBTC, 16)
    assert hop == 37 << 200 | (1 | 8) << 192 | 2 << 184 | int(WETH, 16)
    assert router == int(OTHER, 16)
    assert b"".join(word.to_bytes(32, "big") for word in payload) == data.ljust(64, b"\0")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(PLAN, profit_token=USDC), "measures profit in"),
        (replace(PLAN, min_profit=Amount(MAX_U128 + 1)), "does not fit"),
        (replace(PLAN, min_profit=Amount(-1)), "does not fit"),
        (replace(PLAN, deadline=BlockNumber(2**64)), "does not fit"),
        (replace(PLAN, bid_bps=Bps(10_001)), "does not fit"),
        (replace(PLAN, legs=(DIRECT,) * 129), "does not fit"),
        (replace(PLAN, legs=(replace(DIRECT, repay=Amount(2**128)),)), "does not fit"),
        (replace(PLAN, legs=(replace(DIRECT, witness=Witness(DEBT_TOKEN, Amount(2**96))),)), "does not fit"),
        (
            replace(
                PLAN,
                legs=(replace(DIRECT, funding=replace(DIRECT.funding, kind=FundingKind.PROTOCOL_CALLBACK)),),
            ),
            "not funded by PROTOCOL_CALLBACK",
        ),
        (
            replace(PLAN, legs=(replace(DIRECT, swaps=(sale(replace(HOP, token_in=WBTC)),)),)),
            "a swap starts from",
        ),
        (replace(PLAN, conversions=(sale(HOP, rest=True),)), "a conversion sells all"),
        (replace(PLAN, legs=(by_loan(), by_loan(OTHER, joins=True))), "cannot share a loan"),
        (replace(PLAN, legs=(by_loan(), replace(by_loan(joins=True), debt_asset=WBTC))), "cannot share a loan"),
        (
            replace(PLAN, legs=tuple(replace(DIRECT, funding=replace(DIRECT.funding, joins=j)) for j in (False, True))),
            "cannot share a loan",
        ),
        (
            replace(
                PLAN, legs=(by_loan(), *[replace(by_loan(joins=True), swaps=(sale(*[HOP] * 100, rest=True),))] * 11)
            ),
            "does not fit: at most 1024",
        ),
        (
            replace(PLAN, legs=(replace(DIRECT, swaps=(sale(*[HOP] * 129, rest=True),)),)),
            "129 words",
        ),
    ],
)
def test_what_has_no_word_is_refused_not_cut_off(wrong: Plan, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode_plan(wrong, EXECUTOR)


def test_own_funding_and_loans_have_no_source_when_there_is_none() -> None:
    own = replace(DIRECT, funding=Funding(FundingKind.OWN, ZERO_ADDRESS, Amount(1_000), Amount(1_000), Amount(0)))
    found = words(encode_plan(replace(PLAN, legs=(own,)), EXECUTOR))
    assert found[1] == 4 << 168 | int(MARKET, 16)
    assert len(found) == 7
