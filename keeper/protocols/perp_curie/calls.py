"""Calls of an exchange: views as reads, and the selectors of everything."""

from typing import Final

from keeper.core.events import Read
from keeper.core.units import Address
from keeper.core.venues import view

SELECTORS: Final = {
    "getQuoteToken()": "0x4a64d67d",
    "getUniswapV3Factory()": "0xb081983b",
    "getClearingHouseConfig()": "0xaa2a8294",
    "getVault()": "0x8d928af8",
    "getExchange()": "0xf807cd22",
    "getOrderBook()": "0xb248c4ef",
    "getAccountBalance()": "0x6896fabf",
    "getInsuranceFund()": "0x158626f7",
    "paused()": "0x5c975abb",
    "getAccountValue(address)": "0x5ae80951",
    "getSettlementToken()": "0x12803c7d",
    "decimals()": "0x313ce567",
    "getCollateralManager()": "0xdfa441be",
    "getBalanceByToken(address,address)": "0x2e40a51b",
    "getMarketRegistry()": "0xc66b8ed2",
    "getMaxTickCrossedWithinBlock(address)": "0x29386b7b",
    "getImRatio()": "0x543ce73a",
    "getMmRatio()": "0xa8549402",
    "getLiquidationPenaltyRatio()": "0xfedf924b",
    "getTwapInterval()": "0x3e742e3b",
    "getMaxFundingRate()": "0x6e1d2dd2",
    "getMarkPriceConfig()": "0xb0a336a7",
    "getMarketInfo(address)": "0x0cf85bcc",
    "isOpen()": "0x47535d7b",
    "isPaused()": "0xb187bd26",
    "getPausedTimestamp()": "0xfe343461",
    "getPausedIndexPrice()": "0x1c2ab405",
    "getClosedPrice()": "0x57a48b01",
    "getPriceFeed()": "0x9e87a5cd",
    "getIndexPrice(uint256)": "0x12080647",
    "getChainlinkPriceFeedV3()": "0x82b4ad16",
    "getUniswapV3PriceFeed()": "0xd48b7025",
    "getLatestOrCachedPrice()": "0x954eba95",
    "currentObservationIndex()": "0xaed3aff7",
    "observations(uint256)": "0x252c09d7",
    "slot0()": "0x3850c7bd",
    "getAccountInfo(address,address)": "0x6332fef6",
    "getMarginRequirementForLiquidation(address)": "0xf75c266d",
    "getPnlAndPendingFee(address)": "0xbba85bcf",
    "getOpenOrder(address,address,int24,int24)": "0xeaad2354",
    "getOpenOrderIds(address,address)": "0x436933ea",
    "getOpenOrderById(bytes32)": "0xacf71827",
    "getCollateralConfig(address)": "0xf6a44b38",
    "getPriceFeedDecimals(address)": "0x8c8557d9",
    "getPrice(address,uint256)": "0x449e815d",
    "balanceOf(address)": "0x70a08231",
    "getAggregator()": "0x3ad59dbc",
    "getSettlementTokenBalanceCap()": "0x85eacc77",
    "cancelAllExcessOrders(address,address)": "0xcc3606dc",
    "deposit(address,uint256)": "0x47e7ef24",
    "withdraw(address,uint256)": "0xf3fef3a3",
    "liquidate(address,address,int256)": "0x65d461bd",
    "closePosition((address,uint160,uint256,uint256,bytes32))": "0x00aa9a89",
}


def call(to: Address, signature: str, *arguments: Address | int) -> Read:
    """A view call with static arguments; negative integers are two's complement."""
    return view(to, SELECTORS[signature], *arguments)
