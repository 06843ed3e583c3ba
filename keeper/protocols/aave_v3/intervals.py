"""Which repay amounts a liquidation call accepts.

Law: the union of the intervals is exactly the set of amounts from 1 to ``max_cover`` that do not revert, given that the
account may be liquidated at all. (The contract cuts anything above ``max_cover`` to it.)

An amount is refused when it would
- burn no scaled debt, or no scaled collateral (a transfer of nothing is fine, so not when paid in aTokens);
- take more underlying than the pool holds (not when paid in aTokens);
- since 3.3, leave less than 1000 dollars of this debt or of this collateral, unless it leaves nothing of one of them.

With x the amount: what is seized never falls as x grows, and stands still once all collateral is gone. So below that
point each refusal is a prefix or a suffix, and above it all amounts share one fate. Ends are found in closed form.
"""

from collections.abc import Callable, Iterable, Iterator

from keeper.core.units import BPS, RAY, div_up
from keeper.protocols.aave_v3 import seizure as s
from keeper.protocols.aave_v3.profiles import Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms, Seizure

Interval = tuple[int, int]


def accepted_intervals(profile: Profile, terms: LiquidationTerms, *, wrapped: bool) -> tuple[Interval, ...]:
    """Closed intervals of accepted amounts, ascending and disjoint.

    Without a price or without a bonus there is nothing to seize: no amount is worth a call.
    """
    if terms.bonus < BPS or not terms.collateral_price or not terms.debt_price:
        return ()
    pieces = _pieces(profile, terms, wrapped=wrapped)
    return tuple(_merged(sorted(piece for piece in pieces if piece[0] <= piece[1])))


def accepts(profile: Profile, terms: LiquidationTerms, cover: int, *, wrapped: bool) -> bool:
    """Whether the call accepts one amount of at most ``max_cover``."""
    taken = s.seizure(profile, terms, cover)
    return (
        _burns_debt(profile, terms, taken)
        and (wrapped or _pays_out(profile, terms, taken))
        and _leaves_no_dust(profile, terms, taken)
    )


def first_cover_seizing(profile: Profile, terms: LiquidationTerms, target: int) -> int:
    """The smallest amount that wants at least ``target`` of collateral."""
    base = max(div_up(target * BPS - BPS // 2, terms.bonus), 0)  # right when the bonus rounds half up, else one short
    if profile.seize_mul(base, terms.bonus) < target:
        base += 1
    return div_up(base * terms.collateral_price * terms.debt_unit, terms.debt_price * terms.collateral_unit)


# --- the three refusals ----------------------------------------------------------------------------------------


def _burns_debt(profile: Profile, terms: LiquidationTerms, taken: Seizure) -> bool:
    if terms.stable_debt and taken.repaid > s.variable_balance(profile, terms):
        return True  # the stable token burns any amount
    return profile.debt_scaled(taken.repaid, terms.debt_index) > 0 or s.no_collateral_left(profile, terms, taken)


def _pays_out(profile: Profile, terms: LiquidationTerms, taken: Seizure) -> bool:
    burnt = profile.collateral_scaled(taken.received, terms.collateral_index)
    return burnt > 0 and taken.received <= terms.liquidity


def _leaves_no_dust(profile: Profile, terms: LiquidationTerms, taken: Seizure) -> bool:
    if not profile.position_close_factor:
        return True
    debt = s.debt_balance(profile, terms) - taken.repaid
    collateral = s.collateral_balance(profile, terms) - taken.seized
    if debt <= 0 or collateral <= 0:
        return True
    return (
        profile.debt_value(debt, terms.debt_price, terms.debt_unit) >= s.MIN_LEFTOVER
        and collateral * terms.collateral_price // terms.collateral_unit >= s.MIN_LEFTOVER
    )


# --- their ends, while the account has more than is wanted -----------------------------------------------------


def _pieces(profile: Profile, terms: LiquidationTerms, *, wrapped: bool) -> Iterator[Interval]:
    top = s.max_cover(profile, terms)
    balance = s.collateral_balance(profile, terms)
    exhausts = first_cover_seizing(profile, terms, balance)  # from here on nothing is left of the collateral
    exceeds = first_cover_seizing(profile, terms, balance + 1)  # from here on the amount itself does not matter
    low = _first_burning_debt(profile, terms, exceeds - 1)
    high = min(top, exhausts - 1)
    if not wrapped:
        low = max(low, _first_paying_out(profile, terms))
        if low <= high and s.seizure(profile, terms, high).received > terms.liquidity:
            high = _last_within_liquidity(profile, terms)
    if profile.position_close_factor:
        yield low, min(high, _last_without_dust(profile, terms))
    else:
        yield low, high
    for first, last in ((top, min(top, exhausts - 1)), (max(low, exhausts), min(top, exceeds - 1)), (exceeds, top)):
        if first <= last and accepts(profile, terms, last, wrapped=wrapped):
            yield first, last  # all of the debt; exactly all of the collateral; more than all of the collateral


def _first_burning_debt(profile: Profile, terms: LiquidationTerms, last: int) -> int:
    enough = min(div_up(terms.debt_index, RAY), last)  # an index of debt is a unit of scaled debt in every rounding
    return _first(1, enough, lambda cover: _burns_debt(profile, terms, s.seizure(profile, terms, cover)))


def _first_paying_out(profile: Profile, terms: LiquidationTerms) -> int:
    index = terms.collateral_index
    least = _first(1, div_up(index, RAY), lambda amount: profile.collateral_scaled(amount, index) > 0)
    return first_cover_seizing(profile, terms, _first_seizure_paying(profile, terms, least))


def _last_within_liquidity(profile: Profile, terms: LiquidationTerms) -> int:
    return first_cover_seizing(profile, terms, _first_seizure_paying(profile, terms, terms.liquidity + 1)) - 1


def _first_seizure_paying(profile: Profile, terms: LiquidationTerms, received: int) -> int:
    """The smallest seizure of which the liquidator gets ``received``: the fee is at most the bonus part."""
    enough = received * terms.bonus // BPS + 1
    return _first(received, enough, lambda seized: seized - s.protocol_fee(profile, terms, seized) >= received)


def _last_without_dust(profile: Profile, terms: LiquidationTerms) -> int:
    least = div_up(s.MIN_LEFTOVER * terms.debt_unit, terms.debt_price)
    if profile.debt_value(least - 1, terms.debt_price, terms.debt_unit) >= s.MIN_LEFTOVER:
        least = (
            s.MIN_LEFTOVER - 1
        ) * terms.debt_unit // terms.debt_price + 1  # a value that rounds up gets there sooner
    by_debt = s.debt_balance(profile, terms) - least
    kept = div_up(s.MIN_LEFTOVER * terms.collateral_unit, terms.collateral_price)
    seizable = s.collateral_balance(profile, terms) - kept
    return min(by_debt, first_cover_seizing(profile, terms, seizable + 1) - 1) if seizable >= 0 else 0


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number of a closed range from which on something holds; one past the range when it never does."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _merged(pieces: Iterable[Interval]) -> Iterator[Interval]:
    """Ascending pieces, with those that touch made one."""
    current: Interval | None = None
    for piece in pieces:
        if current is not None and piece[0] <= current[1] + 1:
            current = current[0], max(current[1], piece[1])
        else:
            if current is not None:
                yield current
            current = piece
    if current is not None:
        yield current
