"""A leg's calls and its witness as words of the executor's calldata.

| word     | fields                                                                                               |
|----------|------------------------------------------------------------------------------------------------------|
| call     | target:160, selector:32, words of arguments:8, stage:8, answers an error number:1; then the arguments |
| witness  | who is asked:160, place of the word in the answer:8                                                  |
|          | then the least it may be; then what is asked, four words long                                        |

Laws
- Arguments are whole words, as the ABI makes them; the word of ``SELF`` becomes the executor's address.
- Calldata of another shape, or more of it than the contract has room for, is refused with ``ValueError``.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from keeper.contracts.words import WORD, fit
from keeper.core.actions import CALLING_BACK, SELF, Call, Stage, Style, Witness
from keeper.core.plans import LENT, FundingKind, Leg
from keeper.core.units import Address, owner

MAX_ARGUMENTS: Final = 32  # words of one call
MAX_CALLS: Final = 16
_U96: Final = 2**96 - 1
_SELECTOR: Final = 4
_QUESTION: Final = 100  # bytes that the contract asks
_PADDED: Final = 4 * WORD
_SELF: Final = int(SELF, 16)


class Named(Protocol):
    """Whoever makes the calls."""

    @property
    def address(self) -> Address: ...


def call_words(call: Call, executor: Named) -> Iterator[int]:
    """One call."""
    size, over = divmod(len(call.data) - _SELECTOR, WORD)
    if over or size < 0:
        raise ValueError(f"{len(call.data)} bytes are no selector and whole words")
    if call.stage is Stage.SOLD and not size:
        raise ValueError("there is no word to set to what is owed")
    selector = int.from_bytes(call.data[:_SELECTOR], "big")
    head = int(call.target, 16) | selector << 160 | fit(size, MAX_ARGUMENTS) << 192
    yield head | call.stage << 200 | int(call.coded) << 208
    for at in range(_SELECTOR, len(call.data), WORD):
        word = int.from_bytes(call.data[at : at + WORD], "big")
        yield int(executor.address, 16) if word == _SELF else word


def _question(witness: Witness, account: Address) -> tuple[int, ...]:
    """A witness of any market."""
    data = witness.question(owner(account))
    if len(data) > _QUESTION:
        raise ValueError(f"a witness is asked {len(data)} bytes; at most {_QUESTION}")
    padded = data.ljust(_PADDED, b"\0")
    asked = (int.from_bytes(padded[at : at + WORD], "big") for at in range(0, _PADDED, WORD))
    return (int(witness.token, 16) | fit(witness.place, 7) << 160, witness.floor, *asked)


def require_sense(leg: Leg) -> None:
    """A leg that its style has no meaning for is refused here: the contract would only fail."""
    calls_back = leg.style in CALLING_BACK
    awaited = [call for call in leg.calls if call.stage is Stage.FIRST and call.target == leg.market]
    if calls_back != (leg.funding.kind == FundingKind.PROTOCOL_CALLBACK) or (calls_back and len(awaited) != 1):
        raise ValueError(f"{leg.style.name} is not funded by {leg.funding.kind.name}, or not called once")
    if (leg.style is Style.AAVE) == bool(leg.calls) or (leg.receive_wrapped and leg.style is not Style.AAVE):
        raise ValueError(f"{leg.style.name} with {len(leg.calls)} calls, wrapped: {leg.receive_wrapped}")
    if leg.style in (Style.BOUNTY, Style.TAKEOVER) and leg.collateral_asset != leg.debt_asset:
        raise ValueError(f"a {leg.style.name.lower()} has one asset, not {leg.collateral_asset} and {leg.debt_asset}")
    if leg.style is Style.BOUNTY and (leg.repay or leg.funding.amount):
        raise ValueError(f"a bounty repays nothing, not {leg.repay}")


def require_one_loan(legs: Sequence[Leg]) -> None:
    """Legs that share a loan are lent one asset by one lender: the contract would run none of them."""
    kinds = {(leg.funding.kind, leg.funding.source, leg.debt_asset) for leg in legs}
    if len(kinds) > 1 or legs[0].funding.kind not in LENT:
        raise ValueError(f"{len(legs)} legs cannot share a loan: {sorted(kinds)}")


def witness_words(leg: Leg) -> tuple[tuple[int, ...], int]:
    """The witness's own words, and its floor where that has its place in the step."""
    found = leg.witness
    if found is None:
        return (), 0
    if leg.style is not Style.AAVE:
        return _question(found, leg.account), 0
    if found.data:
        raise ValueError("Aave's witness is the scaled debt")
    return (int(found.token, 16),), fit(found.floor, _U96)
