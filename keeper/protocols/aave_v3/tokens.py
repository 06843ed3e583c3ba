"""From a token's logs to the scaled balances it stores.

Law: given the balance before a log, the balance after it is exactly what the token stores. A log never says the scaled
amount of a mint or a burn, but the amounts it does say leave one candidate, because an index is at least one ray.

``value`` and ``balance_increase`` are as emitted. A Mint stands for three things: a mint (value is above the increase),
a burn smaller than the interest since the last action (below), and interest shown by a transfer (equal: no change).
A stable debt token stores principals, and its logs say them outright.
"""

from dataclasses import dataclass
from typing import Final

from keeper.core.units import RAY
from keeper.protocols.aave_v3.events import StableBurn, StableMint, TokenKind


@dataclass(frozen=True, slots=True)
class TokenProfile:
    """How a token implementation rounds, and what its logs mean."""

    name: str
    kind: TokenKind
    half_up: bool  # up to 3.4; since 3.5 balances round against the user and logs carry the exact change of a balance
    scaled_transfers: bool = True  # False: BalanceTransfer carries the unscaled amount


COLLATERAL_3_0_0: Final = TokenProfile("aToken 3.0.0", TokenKind.COLLATERAL, half_up=True, scaled_transfers=False)
COLLATERAL_3_0_2: Final = TokenProfile("aToken 3.0.2", TokenKind.COLLATERAL, half_up=True)
COLLATERAL_3_5: Final = TokenProfile("aToken 3.5", TokenKind.COLLATERAL, half_up=False)
DEBT_3_0_2: Final = TokenProfile("variableDebtToken 3.0.2", TokenKind.DEBT, half_up=True)
DEBT_3_5: Final = TokenProfile("variableDebtToken 3.5", TokenKind.DEBT, half_up=False)

TOKEN_PROFILES: Final = {
    profile.name: profile for profile in (COLLATERAL_3_0_0, COLLATERAL_3_0_2, COLLATERAL_3_5, DEBT_3_0_2, DEBT_3_5)
}


def after_mint(profile: TokenProfile, scaled: int, value: int, balance_increase: int, index: int) -> int:
    """The scaled balance after a Mint."""
    if value == balance_increase:
        return scaled
    if not profile.half_up:
        return _shown(profile, scaled, value - balance_increase, index)
    if value > balance_increase:
        return scaled + ((value - balance_increase) * RAY + index // 2) // index
    return scaled - ((balance_increase - value) * RAY + index // 2) // index


def after_burn(profile: TokenProfile, scaled: int, value: int, balance_increase: int, index: int) -> int:
    """The scaled balance after a Burn."""
    if profile.half_up:
        return scaled - ((value + balance_increase) * RAY + index // 2) // index
    return _shown(profile, scaled, -value - balance_increase, index)


def transferred(profile: TokenProfile, value: int, index: int) -> int:
    """The scaled amount that a BalanceTransfer moved."""
    return value if profile.scaled_transfers else (value * RAY + index // 2) // index


def _shown(profile: TokenProfile, scaled: int, change: int, index: int) -> int:
    """The one scaled balance that shows as the old balance plus ``change``."""
    if profile.kind is TokenKind.COLLATERAL:
        return -(-(scaled * index // RAY + change) * RAY // index)
    return (-(-scaled * index // RAY) + change) * RAY // index


def principal_after_mint(event: StableMint) -> int:
    """The stored principal after a stable Mint. The user's rate is the event's, and the clock starts again."""
    return event.current_balance - event.balance_increase + event.value


def principal_after_burn(event: StableBurn) -> int:
    """The stored principal after a stable Burn. The user's rate stays, and the clock starts again."""
    return event.current_balance - event.balance_increase - event.value
