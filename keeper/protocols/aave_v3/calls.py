"""View calls of an Aave v3 market, as reads, and what their answers mean.

Law: an answer that is too short is a contract that does not have the function: it counts as a revert, never as zero.
"""

from typing import Final

from keeper.core.events import Read, word, word_address
from keeper.core.ports import Answers
from keeper.core.units import ZERO_ADDRESS, Address

IMPLEMENTATION_SLOT: Final = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC

SELECTORS: Final = {
    "ADDRESSES_PROVIDER()": "0x0542975c",
    "getPool()": "0x026b1d5f",
    "getPoolConfigurator()": "0x631adfca",
    "getPriceOracle()": "0xfca513a8",
    "getPriceOracleSentinel()": "0x5eb88d3d",
    "getReservesList()": "0xd1946dbc",
    "FLASHLOAN_PREMIUM_TOTAL()": "0x074b2e43",
    "BASE_CURRENCY()": "0xe19f4700",
    "BASE_CURRENCY_UNIT()": "0x8c89b64f",
    "getFallbackOracle()": "0x6210308c",
    "getReserveData(address)": "0x35ea6a75",
    "getLiquidationGracePeriod(address)": "0x5c9a8b18",
    "getAssetPrice(address)": "0xb3596f07",
    "getAssetsPrices(address[])": "0x9d23d9f2",
    "getSourceOfAsset(address)": "0x92bf2be0",
    "getEModeCategoryData(uint8)": "0x6c6f6ae1",
    "getEModeCategoryCollateralConfig(uint8)": "0xb286f467",
    "getEModeCategoryCollateralBitmap(uint8)": "0xb0771dba",
    "getVirtualUnderlyingBalance(address)": "0x6fb07f96",
    "balanceOf(address)": "0x70a08231",
    "aggregator()": "0x245a7bfc",
    "phaseId()": "0x58303b10",
    "latestAnswer()": "0x50d25bcd",
    "getUserAccountData(address)": "0xbf92857c",
    "scaledBalanceOf(address)": "0x1da24f3e",
    "principalBalanceOf(address)": "0xc634dfaa",
    "getUserStableRate(address)": "0xe78c9b3b",
    "getUserLastUpdated(address)": "0x79ce6b8c",
    "getUserConfiguration(address)": "0x4417a583",
    "getUserEMode(address)": "0xeddf1b79",
    "isLiquidationAllowed()": "0x7a5d20ea",
}


def call(to: Address, signature: str, *arguments: Address | int) -> Read:
    """A view call with static arguments."""
    words = (f"{argument:064x}" if isinstance(argument, int) else f"{argument[2:]:0>64}" for argument in arguments)
    return Read(to, SELECTORS[signature] + "".join(words))


def prices_call(oracle: Address, assets: list[Address]) -> Read:
    """All prices in one call, which reverts when any one of them does."""
    words = "".join(f"{asset[2:]:0>64}" for asset in assets)
    return Read(oracle, f"{SELECTORS['getAssetsPrices(address[])']}{32:064x}{len(assets):064x}{words}")


def size(answer: str | None) -> int:
    """How many words were answered; 0 for a revert and for an address without code."""
    return 0 if answer is None else (len(answer) - 2) // 64


def integer(answers: Answers, read: Read, at: int = 0) -> int | None:
    """One word of an answer as an integer; ``None`` when the call reverted or does not exist."""
    answer = answers[read]
    return word(answer, at) if size(answer) > at else None


def address(answers: Answers, read: Read) -> Address:
    """An answer as an address; the zero address when the call reverted or does not exist."""
    answer = answers[read]
    return word_address(answer, 0) if size(answer) else ZERO_ADDRESS


def integers(answers: Answers, read: Read) -> list[int] | None:
    """A returned dynamic array; ``None`` when the call reverted."""
    answer = answers[read]
    if size(answer) < 2:  # noqa: PLR2004 - offset and length
        return None
    return [word(answer, 2 + i) for i in range(word(answer, 1))]


def addresses(answers: Answers, read: Read) -> list[Address] | None:
    """A returned array of addresses; ``None`` when the call reverted."""
    values = integers(answers, read)
    return None if values is None else [Address(f"0x{value:040x}") for value in values]
