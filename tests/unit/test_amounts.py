"""Amounts as people read them."""

from keeper.commands.amounts import Amounts
from keeper.core.units import Address

USDC, WORDLESS = Address("0x" + "01" * 20), Address("0x" + "02" * 20)


def test_amounts_are_cut_and_named_and_what_says_nothing_is_shown_as_it_is() -> None:
    amounts = Amounts({USDC: "USDC"}, {USDC: 6, Address("0x" + "03" * 20): 18})
    assert amounts(USDC, 1_234_567_890_123) == "1,234,567.890123 USDC"
    assert amounts(USDC, 1) == "0.000001 USDC"
    assert amounts(WORDLESS, 1_234) == f"1,234 {WORDLESS}"
    assert amounts(Address("0x" + "03" * 20), 10**18 + 10**12 - 1) == f"1.000000 0x{'03' * 20}", "cut, never rounded up"
    assert Amounts({USDC: "TIX"}, {USDC: 0})(USDC, 7) == "7 TIX"
