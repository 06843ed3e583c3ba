"""View calls of a Compound v2 market, as reads."""

from typing import Final

from keeper.core.calls import view_call
from keeper.core.events import Read
from keeper.core.units import Address

SELECTORS: Final = {
    "getAllMarkets()": "0xb0772d0b",
    "oracle()": "0x7dc0d1d0",
    "closeFactorMantissa()": "0xe8755446",
    "liquidationIncentiveMantissa()": "0x4ada90af",
    "treasuryPercent()": "0x04ef9d58",
    "protocolPaused()": "0x425fad58",
    "seizeGuardianPaused()": "0xac0b0bb7",
    "liquidatorContract()": "0x9bb27d62",
    "vaiController()": "0x9254f5e5",
    "lastPoolId()": "0xa657e579",
    "deviationBoundedOracle()": "0xd7c46d2d",
    "pools(uint96)": "0x96c99064",
    "markets(address)": "0x8e8f294b",
    "poolMarkets(uint96,address)": "0x3093c11e",
    "actionPaused(address,uint8)": "0xe85a2960",
    "isForcedLiquidationEnabled(address)": "0x8c1ac18a",
    "isForcedLiquidationEnabledForUser(address,address)": "0xf445d703",
    "isDeprecated(address)": "0x94543c15",
    "isComptroller()": "0x007e3dd2",
    "comptroller()": "0x5fe3b567",
    "getAccountLiquidity(address)": "0x5ec88c79",
    "getAssetsIn(address)": "0xabfceffc",
    "userPoolId(address)": "0x73769099",
    "getEffectiveLtvFactor(address,address,uint8)": "0x19ef3e8b",
    "mintedVAIs(address)": "0x2bc7e29e",
    "checkMembership(address,address)": "0x929fe9a1",
    "underlying()": "0x6f307dc3",
    "decimals()": "0x313ce567",
    "interestRateModel()": "0xf3fdb15a",
    "totalSupply()": "0x18160ddd",
    "totalBorrows()": "0x47bd3718",
    "totalReserves()": "0x8f840ddd",
    "getCash()": "0x3b1d21a2",
    "borrowIndex()": "0xaa5af0fd",
    "reserveFactorMantissa()": "0x173b9904",
    "accrualBlockNumber()": "0x6c540baf",
    "accrualBlockTimestamp()": "0xcfa99201",
    "borrowRatePerBlock()": "0xf8f9da28",
    "borrowRatePerTimestamp()": "0xcd91801c",
    "protocolSeizeShareMantissa()": "0x6752e702",
    "balanceOf(address)": "0x70a08231",
    "borrowBalanceStored(address)": "0x95dd9193",
    "getAccountSnapshot(address)": "0xc37f68e2",
    "getUnderlyingPrice(address)": "0xfc57d4df",
    "treasuryPercentMantissa()": "0x8e3525fc",
    "minLiquidatableVAI()": "0x8722ddf2",
    "forceVAILiquidate()": "0x36eab4ae",
    "vaiMintIndex()": "0xb2b481bc",
    "getVAIRepayRatePerBlock()": "0x75c3de43",
    "getVAIRepayAmount(address)": "0x78c2f922",
    "pastVAIInterest(address)": "0xf20fd8f4",
    "getVAIMinterInterestIndex(address)": "0x234f8977",
    "getVAIAddress()": "0xcbeb2b28",
    "blocksPerYear()": "0xa385fb96",
    "BLOCKS_PER_YEAR()": "0xd37db1d2",
    "getTokenConfig(address)": "0xcb67e3b1",
    "tokenConfigs(address)": "0x1b69dc5f",
    "aggregator()": "0x245a7bfc",
    "latestAnswer()": "0x50d25bcd",
}


def call(to: Address, signature: str, *arguments: Address | int) -> Read:
    """A view call with static arguments."""
    return view_call(to, SELECTORS[signature], *arguments)
