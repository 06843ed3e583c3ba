"""Calldata of the executor, word by word, and the few other calls the keeper makes itself.

Laws
- Calldata is a list of 32-byte words that is joined once; nothing here goes through an ABI library.
- A plan is encoded exactly or refused with ``ValueError``: a field that does not fit, or that the contract has no
  word for, is never cut off.

The words of ``execute(uint256 head)``; fields from the lowest bit up, ``a:n`` is n bits of a:

| word       | fields                                                                                           |
|------------|--------------------------------------------------------------------------------------------------|
| head       | min profit:128, last block:64, bid bps:16, conversions:16, steps:16                              |
| conversion | first token:160, words of its route:8; then its route                                            |
| step 0     | market:160, funding:8, flags:8, words of its route:8, style:8, gas limit:32 (0: none),           |
|            | words that follow the route:8. Flags: skippable, wrapped, witness, source, probe, shared,        |
|            | closing: the legs of a shared loan follow each other, and the last one says who lends            |
| step 1     | account:160, least scaled debt:96                                                                |
| step 2     | collateral:160, of a flash swap: fee:24, venue:8, -:4, factory:2, -:18, place of its last hop:40 |
| step 3     | debt asset:160                                                                                   |
| step 4     | repay:128, amount obtained:128                                                                   |
| witness    | if flagged: debt token:160; of other styles than Aave's the four words of ``contracts/calls.py``  |
| source     | lender or allow-listed pool:160, if flagged                                                      |
| hop        | token out:160, fee:24, venue:8, flags:4, factory:2, -:2, bytes of router calldata:16             |
|            | then, if flagged: the fixed amount, the allow-listed pool or router; then the router's calldata  |
| spender    | of other styles than Aave's: who takes what is repaid:160; then the calls (``contracts/calls.py``) |
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from keeper.contracts.calls import call_words, require_one_loan, require_sense, witness_words
from keeper.contracts.words import WORD, fit, joined
from keeper.core.actions import Style
from keeper.core.plans import REDEEMED, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind, loans_of
from keeper.core.units import BPS, MAX_U128, ZERO_ADDRESS, Address, owner

EXECUTE: Final = bytes.fromhex("fe0d94c1")  # execute(uint256)
SET_ROLES: Final = bytes.fromhex("c6896958")  # set_roles(address[],uint256)
LIQUIDATION_CALL: Final = bytes.fromhex("00a718a9")  # liquidationCall(address,address,address,uint256,bool)
LIQUIDATION_CALL_L2: Final = bytes.fromhex("fd21ecff")  # liquidationCall(bytes32,bytes32)

INIT_HASHES: Final = {  # of the pools of Uniswap's own factories, on nearly every chain
    VenueKind.UNISWAP_V2: bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"),
    VenueKind.UNISWAP_V3: bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"),
}

MAX_STEPS: Final = 128
MAX_CONVERSIONS: Final = 8
MAX_ROUTE: Final = 128  # words of a step's hops, spender and calls
MAX_SHARED: Final = 1024  # words of the legs that share a loan
MAX_FACTORIES: Final = 4

_SKIPPABLE, _WRAPPED, _WITNESS, _SOURCE, _PROBE, _SHARED, _CLOSING = (1 << bit for bit in range(7))
_FIRST, _FIXED, _EXACT_OUT, _LISTED = 1, 2, 4, 8
_MAX_DATA: Final = 64 * WORD  # bytes of a router's calldata
_U16, _U24, _U32, _U64 = (2**bits - 1 for bits in (16, 24, 32, 64))


@dataclass(frozen=True, slots=True)
class Factory:
    """Where a family of pools comes from: enough to compute any pool's address."""

    kind: VenueKind
    deployer: Address
    init_hash: bytes


@dataclass(frozen=True, slots=True)
class Executor:
    """A deployed executor, as far as its calldata depends on it. ``factories`` are in the order of its constructor.

    ``probe``: every leg asks the market for the account's health before it borrows. Worth its gas only where a revert
    is paid for: the market itself finds out later, and a rival who was first is found by the leg's witness anyway.
    """

    address: Address
    weth: Address
    factories: tuple[Factory, ...]
    probe: bool = False


def encode_plan(plan: Plan, executor: Executor) -> bytes:
    """Calldata that executes the plan."""
    return EXECUTE + joined(_plan(plan, executor))


def encode_set_roles(targets: Sequence[Address], role: Role) -> bytes:
    """The owner's call that gives each of the targets this role and no other."""
    return SET_ROLES + joined((2 * WORD, role, len(targets), *(int(target, 16) for target in targets)))


def encode_liquidation_call(leg: Leg) -> bytes:
    """Aave's ``liquidationCall``, as an account without an executor sends it."""
    pair = (int(leg.collateral_asset, 16), int(leg.debt_asset, 16))
    return LIQUIDATION_CALL + joined((*pair, int(owner(leg.account), 16), leg.repay, int(leg.receive_wrapped)))


def encode_liquidation_call_l2(
    collateral_id: int, debt_id: int, account: Address, repay: int, *, wrapped: bool
) -> bytes:
    """The same in the compact form of an L2 pool; a repay amount past 127 bits of ones means all."""
    first = fit(collateral_id, _U16) | fit(debt_id, _U16) << 16 | int(owner(account), 16) << 32
    return LIQUIDATION_CALL_L2 + joined((first, min(repay, MAX_U128) | int(wrapped) << 128))


def create2_address(deployer: Address, salt: bytes, init_hash: bytes) -> Address:
    """Where CREATE2 puts a contract."""
    return Address("0x" + keccak(b"\xff" + bytes.fromhex(deployer[2:]) + salt + init_hash)[12:].hex())


@lru_cache(maxsize=4096)
def pool_address(factory: Factory, token: Address, other: Address, fee: int) -> Address:
    """A factory's pool of two tokens, whether it exists or not. Version 2 knows no fee."""
    low, high = sorted((token, other))
    if factory.kind == VenueKind.UNISWAP_V3:
        salt = keccak(joined((int(low, 16), int(high, 16), fee)))
    else:
        salt = keccak(bytes.fromhex(low[2:] + high[2:]))
    return create2_address(factory.deployer, salt, factory.init_hash)


def _plan(plan: Plan, executor: Executor) -> Iterator[int]:
    if plan.profit_token != executor.weth:
        raise ValueError(f"the executor measures profit in {executor.weth}, not in {plan.profit_token}")
    steps, conversions = len(plan.legs), len(plan.conversions)
    yield (
        fit(plan.min_profit, MAX_U128)
        | fit(plan.deadline, _U64) << 128
        | fit(plan.bid_bps, BPS) << 192
        | fit(conversions, MAX_CONVERSIONS) << 208
        | fit(steps, MAX_STEPS) << 224
    )
    for swap in plan.conversions:
        if not swap.rest or swap.exact_out or swap.hops[-1].token_out != executor.weth:
            raise ValueError("a conversion sells all there is for the profit token")
        route = _Route.of((swap,), executor, first=swap.hops[0].token_in)
        yield int(swap.hops[0].token_in, 16) | len(route.words) << 160
        yield from route.words
    for legs in loans_of(plan.legs):
        yield from _shared(legs, executor) if len(legs) > 1 else _step(legs[0], executor, _SKIPPABLE * (steps > 1))


def _shared(legs: Sequence[Leg], executor: Executor) -> Iterator[int]:
    """Legs that share a loan; the last one says of whom."""
    require_one_loan(legs)
    words = [word for leg in legs[:-1] for word in _step(leg, executor, _SKIPPABLE | _SHARED)]
    words += _step(legs[-1], executor, _SKIPPABLE | _SHARED | _CLOSING)
    fit(len(words), MAX_SHARED)
    yield from words


def _step(leg: Leg, executor: Executor, flags: int) -> Iterator[int]:
    require_sense(leg)
    kind, source, aave = leg.funding.kind, leg.funding.source, leg.style is Style.AAVE
    route = _Route.of(leg.swaps, executor, first=leg.collateral_asset)
    flags |= _WRAPPED * leg.receive_wrapped | _PROBE * (executor.probe and aave)
    flash, listed = 0, source not in (ZERO_ADDRESS, leg.market) and flags & (_SHARED | _CLOSING) != _SHARED
    if kind == FundingKind.UNISWAP_V3_FLASH_SWAP:
        pay = leg.swaps[-1].hops[-1].token_out if leg.swaps else leg.collateral_asset
        index = _factory(executor, Hop(VenueKind.UNISWAP_V3, source, pay, leg.debt_asset, leg.funding.pool_fee))
        listed = index is None
        flash = _venue(VenueKind.UNISWAP_V3, leg.funding.pool_fee, index) | route.last << 216
    witness, floor = witness_words(leg)
    calls = [] if aave else [int(leg.spender, 16), *(word for call in leg.calls for word in call_words(call, executor))]
    fit(len(route.words) + len(calls), MAX_ROUTE)
    flags |= _SOURCE * listed | _WITNESS * bool(witness)
    gas_limit = fit(leg.gas_limit, _U32) if flags & _SKIPPABLE else 0
    lent = kind != FundingKind.PROTOCOL_CALLBACK  # which the contract knows by the style: nobody lends
    yield (
        int(leg.market, 16)
        | (kind if lent else FundingKind.OWN) << 160
        | flags << 168
        | len(route.words) << 176
        | leg.style << 184
        | gas_limit << 192
        | len(calls) << 224
    )
    yield int(owner(leg.account), 16) | floor << 160
    yield int(leg.collateral_asset, 16) | flash
    yield int(leg.debt_asset, 16)
    yield fit(leg.repay, MAX_U128) | (fit(leg.funding.amount, MAX_U128) if lent else 0) << 128
    yield from witness
    if listed:
        yield int(source, 16)
    yield from route.words
    yield from calls


@dataclass(frozen=True, slots=True)
class _Route:
    """Hops as words, and where the last hop is, counted from one; zero when there is none."""

    words: tuple[int, ...]
    last: int

    @classmethod
    def of(cls, swaps: Sequence[SwapLeg], executor: Executor, *, first: Address) -> "_Route":
        words: list[int] = []
        last = 0
        for swap in swaps:
            if swap.hops[0].token_in != first:
                raise ValueError(f"a swap starts from {swap.hops[0].token_in}, not from {first}")
            for place in range(len(swap.hops)):
                last = len(words) + 1
                words += _hop(swap, place, executor)
        if len(words) > MAX_ROUTE:
            raise ValueError(f"a route of {len(words)} words; the executor takes {MAX_ROUTE}")
        return cls(tuple(words), last)


def _hop(swap: SwapLeg, place: int, executor: Executor) -> Iterator[int]:
    hop = swap.hops[place]
    fixed = place == 0 and not swap.rest
    exact = swap.exact_out and place == len(swap.hops) - 1
    index = None if hop.venue == VenueKind.ROUTER else _factory(executor, hop)
    flags = _FIRST * (place == 0) | _FIXED * fixed | _EXACT_OUT * exact | _LISTED * (index is None)
    data = bytes.fromhex(hop.data[2:])
    if exact and hop.venue in REDEEMED:
        raise ValueError(f"{hop.venue.name} sells all it is given: it cannot buy just what is owed")
    yield int(hop.token_out, 16) | _venue(hop.venue, hop.fee, index) | flags << 192 | fit(len(data), _MAX_DATA) << 200
    if fixed:
        yield fit(swap.amount_in, MAX_U128)
    if index is None:
        yield int(hop.pool, 16)
    for at in range(0, len(data), WORD):
        yield int.from_bytes(data[at : at + WORD].ljust(WORD, b"\0"), "big")


def _factory(executor: Executor, hop: Hop) -> int | None:
    """Which factory the pool is a child of; none: it must be allow-listed."""
    for index, factory in enumerate(executor.factories):
        if factory.kind == hop.venue and pool_address(factory, hop.token_in, hop.token_out, hop.fee) == hop.pool:
            return index
    return None


def _venue(kind: VenueKind, fee: int, index: int | None) -> int:
    return fit(fee, _U24) << 160 | kind << 184 | (index or 0) << 196
