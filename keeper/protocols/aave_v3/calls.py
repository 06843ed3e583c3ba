"""View calls of an Aave v3 market, as reads."""

from typing import Final

from keeper.core.calls import view_call
from keeper.core.events import Read
from keeper.core.units import Address

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
    "getReserveDeficit(address)": "0xc952485d",
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
    return view_call(to, SELECTORS[signature], *arguments)


def prices_call(oracle: Address, assets: list[Address]) -> Read:
    """All prices in one call, which reverts when any one of them does."""
    words = "".join(f"{asset[2:]:0>64}" for asset in assets)
    return Read(oracle, f"{SELECTORS['getAssetsPrices(address[])']}{32:064x}{len(assets):064x}{words}")
