"""Random plans, encoded a second time from the table in the encoder's head by the ABI library's packed mode.

The second encoder knows field widths and order, and shares no line with the first.
"""

from collections.abc import Iterator
from itertools import pairwise

from eth_abi.packed import encode_packed
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.contracts.encode import EXECUTE, Executor, Factory, encode_plan, pool_address
from keeper.core.actions import SELF, Call, Settlement, Stage, Style, Witness
from keeper.core.plans import Estimate, Funding, FundingKind, Hop, Leg, Plan, SwapLeg, VenueKind
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Wei

FACTORIES = (
    Factory(VenueKind.UNISWAP_V2, Address("0x" + "f2" * 20), b"\x02" * 32),
    Factory(VenueKind.UNISWAP_V3, Address("0x" + "f3" * 20), b"\x03" * 32),
    Factory(VenueKind.UNISWAP_V3, Address("0x" + "f4" * 20), b"\x04" * 32),
)
WETH = Address("0x" + "ee" * 20)
NOTHING = Estimate(*[Wei(0)] * 9)
EXECUTOR = Address("0x" + "e1" * 20)
OURS, MINE = (encode_packed(("uint96", "address"), (0, one)) for one in (SELF, EXECUTOR))
STEP_0 = ("uint32", "uint32", "uint8", "uint8", "uint8", "uint8", "address")

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
u128 = st.integers(0, 2**128 - 1).map(Amount)
fees = st.integers(0, 2**24 - 1)


@st.composite
def hops(draw: st.DrawFn, token_in: Address, token_out: Address) -> tuple[Hop, int | None]:
    """A hop, and the place of the factory that made its pool, if one did."""
    venue, fee = draw(st.sampled_from(VenueKind)), draw(fees)
    if venue == VenueKind.ROUTER:
        data = draw(st.binary(max_size=300))
        return Hop(venue, draw(addresses), token_in, token_out, 0, "0x" + data.hex()), None
    mine = [place for place, factory in enumerate(FACTORIES) if factory.kind == venue]
    place = draw(st.sampled_from([*mine, None]))
    pool = draw(addresses) if place is None else pool_address(FACTORIES[place], token_in, token_out, fee)
    return Hop(venue, pool, token_in, token_out, fee), place


def hop_words(hop: Hop, place: int | None, *, first: bool, fixed: int | None, exact: bool) -> Iterator[bytes]:
    flags = first + 2 * (fixed is not None) + 4 * exact + 8 * (place is None) + 16 * (place or 0)
    data = bytes.fromhex(hop.data[2:])
    types = ("uint40", "uint16", "uint8", "uint8", "uint24", "address")
    yield encode_packed(types, (0, len(data), flags, hop.venue, hop.fee, hop.token_out))
    if fixed is not None:
        yield encode_packed(("uint256",), (fixed,))
    if place is None:
        yield encode_packed(("uint96", "address"), (0, hop.pool))
    yield data + b"\0" * (-len(data) % 32)


@st.composite
def sales(draw: st.DrawFn, start: Address, end: Address | None, *, last: bool) -> tuple[SwapLeg, list[bytes]]:
    """A path with its words, each hop's joined. The last of a leg sells the rest, or buys just what is owed."""
    tokens = [start, *draw(st.lists(addresses, min_size=0, max_size=2)), end or draw(addresses)]
    drawn = [draw(hops(*pair)) for pair in pairwise(tokens)]
    rest, exact, amount = last or draw(st.booleans()), last and end is None and draw(st.booleans()), draw(u128)
    exact = exact and drawn[-1][0].venue not in (VenueKind.ERC4626, VenueKind.CTOKEN)  # which only sell
    found = [
        b"".join(
            hop_words(
                hop,
                place,
                first=i == 0,
                fixed=None if rest or i else amount,
                exact=exact and i == len(drawn) - 1,
            )
        )
        for i, (hop, place) in enumerate(drawn)
    ]
    path = tuple(hop for hop, _ in drawn)
    return SwapLeg(amount, Amount(0), Amount(0), path, rest=rest, exact_out=exact), found


@st.composite
def legs(draw: st.DrawFn, *, alone: bool, probe: bool) -> tuple[Leg, bytes]:
    market, account, collateral, debt, token = (draw(addresses) for _ in range(5))
    kind = draw(st.sampled_from([kind for kind in FundingKind if kind != FundingKind.PROTOCOL_CALLBACK]))
    count = draw(st.integers(0, 2))
    drawn = [draw(sales(collateral, None, last=i == count - 1)) for i in range(count)]
    swaps = tuple(swap for swap, _ in drawn)
    by_hop = [word for _, words in drawn for word in words]
    route = b"".join(by_hop)
    source, fee, place = draw(st.sampled_from([market, draw(addresses)])), 0, None
    flash, named = encode_packed(("uint96", "address"), (0, collateral)), source not in (market, ZERO_ADDRESS)
    if kind == FundingKind.UNISWAP_V3_FLASH_SWAP:
        fee, place = draw(fees), draw(st.sampled_from([1, 2, None]))
        pay = swaps[-1].hops[-1].token_out if swaps else collateral
        if place is not None:
            source = pool_address(FACTORIES[place], pay, debt, fee)
        last_hop = len(b"".join(by_hop[:-1])) // 32 + 1 if by_hop else 0
        fields = (last_hop, 0, 16 * (place or 0), VenueKind.UNISWAP_V3, fee, collateral)
        flash = encode_packed(("uint40", "uint16", "uint8", "uint8", "uint24", "address"), fields)
        named = place is None
    witness = draw(st.none() | st.builds(Witness, st.just(token), st.integers(0, 2**96 - 1).map(Amount)))
    wrapped, gas, repay, amount = draw(st.booleans()), draw(st.integers(0, 2**32 - 1)), draw(u128), draw(u128)
    flags = (not alone) + 2 * wrapped + 4 * (witness is not None) + 8 * named + 16 * probe
    first = (0, 0 if alone else gas, 0, len(route) // 32, flags, kind, market)
    found = encode_packed(STEP_0, first)
    found += encode_packed(("uint96", "address"), (witness.floor if witness else 0, account)) + flash
    found += encode_packed(("uint96", "address", "uint128", "uint128"), (0, debt, amount, repay))
    for extra in [token] * (witness is not None) + [source] * named:
        found += encode_packed(("uint96", "address"), (0, extra))
    funding = Funding(kind, source, amount, Amount(0), Amount(0), pool_fee=fee)
    settlement = Settlement(Amount(0), Amount(0), Amount(0))
    leg = Leg(
        "aave_v3", market, account, collateral, debt, repay, settlement, wrapped, funding, swaps, witness, gas_limit=gas
    )
    return leg, found + route


@st.composite
def calls(draw: st.DrawFn, target: Address | None, *, argued: bool = False) -> tuple[Call, bytes]:
    """A call, and its words with the executor's address in the place of ours."""
    selector = draw(st.binary(min_size=4, max_size=4))
    words = draw(st.lists(st.binary(min_size=32, max_size=32) | st.just(OURS), min_size=argued, max_size=5))
    stage = draw(st.sampled_from(Stage)) if target is None and not argued else Stage.SOLD if argued else Stage.FIRST
    stage = stage if words or stage is not Stage.SOLD else Stage.LAST
    coded, to = draw(st.booleans()), target or draw(addresses)
    types = ("uint40", "bool", "uint8", "uint8", "bytes4", "address")
    head = encode_packed(types, (0, coded, stage, len(words), selector, to))
    said = b"".join(MINE if word == OURS else word for word in words)
    return Call(to, selector + b"".join(words), coded, stage), head + said


@st.composite
def styled(draw: st.DrawFn, *, alone: bool) -> tuple[Leg, bytes]:
    """A leg on a market of another style than Aave's."""
    style = draw(st.sampled_from([style for style in Style if style is not Style.AAVE]))
    market, account, collateral, token, spender = (draw(addresses) for _ in range(5))
    debt = collateral if style in (Style.BOUNTY, Style.TAKEOVER) else draw(addresses)
    calls_back = style in (Style.CALLBACK, Style.CLIP)
    drawn = [draw(calls(market)), *draw(st.lists(calls(None) | calls(None, argued=True), max_size=3))]
    assume(not calls_back or all(call.target != market for call, _ in drawn[1:]))
    said = encode_packed(("uint96", "address"), (0, spender)) + b"".join(words for _, words in drawn)
    kind = FundingKind.PROTOCOL_CALLBACK if calls_back else FundingKind.OWN
    repay = Amount(0) if style is Style.BOUNTY else draw(u128)
    witness, asked = None, b""
    if draw(st.booleans()):
        floor, place = draw(st.integers(0, 2**256 - 1)), draw(st.integers(0, 7))
        data = draw(st.binary(min_size=1, max_size=100))
        witness = Witness(token, Amount(floor), data, place)
        asked = encode_packed(("uint88", "uint8", "address", "uint256"), (0, place, token, floor))
        asked += data.ljust(128, b"\0")
    gas = draw(st.integers(0, 2**32 - 1))
    flags = (not alone) + 4 * (witness is not None)
    found = encode_packed(STEP_0, (len(said) // 32, 0 if alone else gas, style, 0, flags, FundingKind.OWN, market))
    found += encode_packed(("uint96", "address") * 3, (0, account, 0, collateral, 0, debt))
    found += encode_packed(("uint128", "uint128"), (0 if calls_back else repay, repay))
    settlement = Settlement(Amount(0), Amount(0), Amount(0))
    funding = Funding(kind, ZERO_ADDRESS, repay, Amount(0), Amount(0))
    made = tuple(call for call, _ in drawn)
    key = Address(account + draw(st.sampled_from(["", ":7"])))
    leg = Leg(
        "any", market, key, collateral, debt, repay, settlement, receive_wrapped=False, funding=funding, swaps=(),
        witness=witness, gas_limit=gas, style=style, spender=spender, calls=made,
    )  # fmt: skip
    return leg, found + asked + said


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, bool, bytes]:
    count, probe = draw(st.integers(0, 4)), draw(st.booleans())
    drawn = [draw(legs(alone=count == 1, probe=probe) | styled(alone=count == 1)) for _ in range(count)]
    starts = draw(st.lists(addresses, max_size=2))
    conversions = [draw(sales(start, WETH, last=True)) for start in starts]
    least, deadline, bid = draw(u128), draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 10_000))
    found = encode_packed(
        ("uint16", "uint16", "uint16", "uint16", "uint64", "uint128"),
        (0, count, len(conversions), bid, deadline, least),
    )
    for start, (_, words) in zip(starts, conversions, strict=True):
        route = b"".join(words)
        found += encode_packed(("uint88", "uint8", "address"), (0, len(route) // 32, start)) + route
    found += b"".join(words for _, words in drawn)
    plan = Plan(
        "x",
        BlockNumber(0),
        BlockNumber(deadline),
        tuple(leg for leg, _ in drawn),
        tuple(swap for swap, _ in conversions),
        WETH,
        least,
        Bps(bid),
        0,
        Wei(0),
        Wei(0),
        NOTHING,
    )
    return plan, probe, found


@settings(max_examples=150, deadline=None)
@given(plans())
def test_plans_are_encoded_to_the_byte_as_the_table_says(drawn: tuple[Plan, bool, bytes]) -> None:
    plan, probe, expected = drawn
    assert encode_plan(plan, Executor(EXECUTOR, WETH, FACTORIES, probe)) == EXECUTE + expected
