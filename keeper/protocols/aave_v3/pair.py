"""One (collateral, debt) pair of one account as an action, and why a pair may be blocked.

Law: exact and pure. Health is the caller's business: a pair exists only for an account below 1, with the collateral
enabled and the debt not zero.
"""

from dataclasses import dataclass

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.refusals import Reason
from keeper.core.units import Address, Amount, Timestamp
from keeper.protocols.aave_v3 import seizure
from keeper.protocols.aave_v3.intervals import accepted_intervals
from keeper.protocols.aave_v3.profiles import Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms

SENTINEL_HEALTH = 95 * 10**16  # below, the sentinel is not asked


@dataclass(frozen=True, slots=True)
class Gate:
    """What a reserve says about liquidations."""

    active: bool
    paused: bool
    grace_until: Timestamp = Timestamp(0)  # since 3.1; the block at this very time is still blocked


@dataclass(frozen=True, slots=True)
class LiquidationPair:
    """``liquidationCall`` on one pair. Implements ``core.actions.Action``."""

    market: Address  # the pool
    account: Address
    collateral_asset: Address
    debt_asset: Address
    debt_token: Address  # variable
    profile: Profile
    terms: LiquidationTerms
    receive_wrapped: bool  # take aTokens: the only way when the pool holds too little of the collateral
    protocol: str = "aave_v3"
    style: Style = Style.AAVE

    @property
    def spender(self) -> Address:
        return self.market

    @property
    def witness(self) -> Witness | None:
        """The scaled variable debt; there is none to look at when all of the debt is stable."""
        return Witness(self.debt_token, Amount(self.terms.debt_scaled)) if self.terms.debt_scaled else None

    @property
    def withdrawable(self) -> int:
        """Underlying in the pool."""
        return self.terms.liquidity

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Closed intervals of repay amounts that the contract accepts, ascending and disjoint."""
        return accepted_intervals(self.profile, self.terms, wrapped=self.receive_wrapped)

    def settle(self, repay: int) -> Settlement:
        """What the call does with a repay amount taken from ``intervals``."""
        return seizure.settle(self.profile, self.terms, repay)

    def calls(self, repay: int) -> tuple[Call, ...]:
        """The executor knows ``liquidationCall`` itself."""
        del repay
        return ()


def blocked(
    profile: Profile,
    collateral: Gate,
    debt: Gate,
    *,
    health_factor: int,
    sentinel_allows: bool,
    own_account: bool,
    at: Timestamp,
) -> Reason | None:
    """Why the contract refuses the pair whatever the amount, in the order in which it asks; ``None``: it does not.

    ``sentinel_allows`` is true where there is no sentinel.
    """
    gates = (collateral, debt)
    if own_account and not profile.self_liquidation:
        return Reason.SELF
    if not all(gate.active for gate in gates):
        return Reason.INACTIVE
    if any(gate.paused for gate in gates):
        return Reason.PAUSED
    if profile.sentinel and not sentinel_allows and health_factor >= SENTINEL_HEALTH:
        return Reason.SEQUENCER
    if profile.grace_period and any(gate.grace_until >= at for gate in gates):
        return Reason.GRACE
    return None
