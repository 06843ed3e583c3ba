"""A market's totals at a later time.

Law: as the contract accrues, to the unit, whoever pays for the accounting; ``None`` where the contract would revert,
since then nobody can touch the market at all. Without a rate model nothing grows.
"""

from typing import Final

import msgspec

from keeper.core.units import MAX_U128, MAX_U256, WAD
from keeper.protocols.morpho_blue import maths
from keeper.protocols.morpho_blue.facts import State

_FIELDS: Final = ("supply_assets", "supply_shares", "borrow_assets", "borrow_shares")


def accrued(state: State, rate: int, at: int) -> State | None:
    """Totals in a block with that timestamp, at a mean rate since the last update."""
    seconds = at - state.updated
    factor = maths.compounded(rate, seconds)
    if _overflows(rate, seconds) or factor * state.borrow_assets > MAX_U256:
        return None
    interest = state.borrow_assets * factor // WAD
    return grown(state, interest, _fee_shares(state, interest), at)


def grown(state: State, interest: int, fee_shares: int, at: int) -> State | None:
    """Totals with this interest and these shares for the fee; ``None``: they do not fit into the contract's words."""
    after = msgspec.structs.replace(
        state,
        supply_assets=state.supply_assets + interest,
        supply_shares=state.supply_shares + fee_shares,
        borrow_assets=state.borrow_assets + interest,
        updated=at,
    )
    return after if all(getattr(after, name) <= MAX_U128 for name in _FIELDS) else None


def _fee_shares(state: State, interest: int) -> int:
    fee = interest * state.fee // WAD
    return maths.shares_down(fee, state.supply_assets + interest - fee, state.supply_shares)


def _overflows(rate: int, seconds: int) -> bool:
    """Whether a product of the series leaves 256 bits."""
    first = rate * seconds
    second = first * first // (2 * WAD)
    return first * first > MAX_U256 or second * first > MAX_U256
