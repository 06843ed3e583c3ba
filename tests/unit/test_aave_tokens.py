"""Readable cases of scaled balances; exhaustive ones are in the property test and against compiled tokens."""

import pytest

from keeper.core.units import RAY, Address
from keeper.protocols.aave_v3 import tokens
from keeper.protocols.aave_v3.events import StableBurn, StableMint
from keeper.protocols.aave_v3.tokens import TOKEN_PROFILES, TokenProfile

INDEX = RAY + RAY // 4
NOBODY = Address("0x" + "00" * 20)
ALL = list(TOKEN_PROFILES.values())


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.name)
def test_interest_shown_by_a_transfer_changes_nothing(profile: TokenProfile) -> None:
    assert tokens.after_mint(profile, 1000, 7, 7, INDEX) == 1000


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.name)
def test_a_first_supply_and_a_full_withdrawal(profile: TokenProfile) -> None:
    assert tokens.after_mint(profile, 0, 1250, 0, INDEX) == 1000
    assert tokens.after_burn(profile, 1000, 1250, 0, INDEX) == 0
    assert tokens.after_burn(profile, 1000, 1000, 250, INDEX) == 0


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.name)
def test_a_small_repayment_is_a_mint_below_its_interest(profile: TokenProfile) -> None:
    assert tokens.after_mint(profile, 1000, 125, 250, INDEX) == 900


def test_only_the_first_tokens_transfer_unscaled_amounts() -> None:
    assert {p.name: tokens.transferred(p, 1250, INDEX) for p in ALL} == {
        p.name: 1000 if p.name == "aToken 3.0.0" else 1250 for p in ALL
    }


def test_a_stable_debt_token_says_its_principal() -> None:
    borrow = StableMint(NOBODY, NOBODY, value=110, current_balance=1010, balance_increase=10, rate=3)
    assert tokens.principal_after_mint(borrow) == 1110
    tiny_repayment = StableMint(NOBODY, NOBODY, value=4, current_balance=1010, balance_increase=10, rate=3)
    assert tokens.principal_after_mint(tiny_repayment) == 1004
    repayment = StableBurn(NOBODY, NOBODY, value=90, current_balance=1010, balance_increase=10)
    assert tokens.principal_after_burn(repayment) == 910
