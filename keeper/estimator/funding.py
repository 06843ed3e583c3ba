"""Where the repaid tokens come from.

Laws
- The cheapest source that has the amount is taken: its fee, and the gas it costs beside that.
- A source that holds something locked while it lends is not combined with a route that may need it: a pool that
  flash-swaps cannot be sold through, and a vault that lends cannot be reached through a router.
- A fee is what the contract charges, to the unit: Aave rounds it half up until 3.4 and up since 3.5. Who takes a loan
  for others too is charged the fee of the whole of it.
"""

from collections.abc import Callable, Iterable
from math import gcd
from typing import Final

from keeper.core.plans import Funding, FundingKind, SwapLeg, VenueKind
from keeper.core.ports import Loan
from keeper.core.units import BPS, ZERO_ADDRESS, Address, Amount, mul_div_half_up, mul_div_up

_LOCKING: Final = frozenset({FundingKind.BALANCER_FLASH_LOAN})


def loan_fee(loan: Loan, amount: int) -> Amount:
    """What a lender charges for an amount."""
    rounded = mul_div_up if loan.fee_up else mul_div_half_up
    return Amount(rounded(amount + loan.beside, loan.fee, BPS))


def loan_lattice(loan: Loan) -> int:
    """Multiples of this have a whole fee."""
    return BPS // gcd(BPS, loan.fee) if loan.fee else 1


def lend(loan: Loan, amount: int) -> Funding:
    """The loan as a plan names it."""
    fee = loan_fee(loan, amount)
    return Funding(loan.kind, loan.source, Amount(amount), Amount(amount + fee), fee, joins=loan.joins)


def own_balance(token: Address, available: int) -> Loan:
    """What the executor holds itself."""
    return Loan(FundingKind.OWN, ZERO_ADDRESS, token, available)


def ranked(lenders: Iterable[Loan], token: Address, amount: int, gas: Callable[[Loan], int]) -> list[Loan]:
    """Who lends the token, cheapest first; ``gas``: what a loan costs in gas, in the token."""
    able = (lender for lender in lenders if lender.token == token and lender.available > 0)
    return sorted(able, key=lambda lender: (lender.available < amount, loan_fee(lender, amount) + gas(lender)))


def conflicts(kind: FundingKind, source: Address, swaps: Iterable[SwapLeg]) -> bool:
    """Whether what funding holds locked may be needed by the swaps that run meanwhile."""
    hops = [hop for swap in swaps for hop in swap.hops]
    if kind is FundingKind.UNISWAP_V3_FLASH_SWAP:
        return any(hop.pool == source or hop.venue is VenueKind.ROUTER for hop in hops)
    return kind in _LOCKING and any(hop.pool == source or hop.venue is VenueKind.ROUTER for hop in hops)
