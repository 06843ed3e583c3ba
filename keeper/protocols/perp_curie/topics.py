"""First topics of the logs that move positions, margins or prices of a Perpetual v2 exchange.

Law: a topic is the keccak-256 of the signature in the comment above it; ``tests/unit/test_perp_decode.py`` recomputes
every one from that comment.
"""

from typing import Final

# event PositionChanged(address,address,int256,int256,uint256,int256,int256,uint256)
POSITION_CHANGED: Final = "0x968bc4f738eae0486dc6736c4b427dbafa4acfdf6eaf223337791ddeb3a56247"
# event PositionClosed(address,address,int256,int256,int256,int256,uint256)
POSITION_CLOSED: Final = "0x90195cdfd4796e4ab1175fced26945fa837ef5989e372fcd306856d8ad0ff23b"
# event PositionLiquidated(address,address,uint256,uint256,uint256,address)
POSITION_LIQUIDATED: Final = "0xd9aced30440caca81570436bc942f816cfd95a3f08f700a2aeb6334c7cb5b497"
# event LiquidityChanged(address,address,address,int24,int24,int256,int256,int128,uint256)
LIQUIDITY_CHANGED: Final = "0xcb47d8bf351d355bdd5497973533eada41777b4509f2585a62ae246336ebaa94"
# event FundingPaymentSettled(address,address,int256)
FUNDING_PAYMENT_SETTLED: Final = "0x733330d4aad1a878654bf888817b79bc6478013399be29fa3b8845c81305249e"
# event Paused(address)
PAUSED: Final = "0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258"
# event Unpaused(address)
UNPAUSED: Final = "0x5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa"
# event PnlRealized(address,int256)
PNL_REALIZED: Final = "0xebf4e69d81451d269fc4d9551b06d58bea2ed426d2c528919ce45f6070946efb"
# event FundingUpdated(address,uint256,uint256)
FUNDING_UPDATED: Final = "0x54e4482fe1d38392effe5d53f0e9e72f60221a75a10cea7abbb684bfb03519bf"
# event MaxTickCrossedWithinBlockChanged(address,uint24)
TICK_CAP_CHANGED: Final = "0x998d553f208e581d188c66da9e7d19bac5ca64d002753791210c4271c8e955d0"
# event Deposited(address,address,uint256)
DEPOSITED: Final = "0x8752a472e571a816aea92eec8dae9baf628e840f4929fbcc2d155e6233ff68a7"
# event Withdrawn(address,address,uint256)
WITHDRAWN: Final = "0xd1c19fbcd4551a5edfb66d43d2e337c04837afda3482b42bdf569a8fccdae5fb"
# event CollateralLiquidated(address,address,address,uint256,uint256,uint256,uint24)
COLLATERAL_LIQUIDATED: Final = "0xbd3320c61b99a54ed3537dce8a75020f70b61d6dd124b6aa28738d1bab9bf77d"
# event BadDebtSettled(address,uint256)
BAD_DEBT_SETTLED: Final = "0x73bac9d49ae6f49cdba3f7381211c12a239898097e5dfdfefcbb904f8b669238"
# event PoolAdded(address,uint24,address)
POOL_ADDED: Final = "0x8b17db32f8ec22477a8f9475d5b92052ef2ce8c6c73ad79be1eb297a8fdd2ff1"
# event FeeRatioChanged(address,uint24)
FEE_RATIO_CHANGED: Final = "0x8129297a1a8d252870739804c1d9cdbc86121230ce172c23ec11a940ccab01ef"
# event InsuranceFundFeeRatioChanged(address,uint24)
FUND_SHARE_CHANGED: Final = "0x4f2c8571cf1c1d45fa37ea4bd4ae08b528b6db54a9409cce6eb0023fb87d5e88"
# event MarketMaxPriceSpreadRatioChanged(address,uint24)
SPREAD_CHANGED: Final = "0xb36b0a82967a9496ce3df9cf912c7fb7e1b7b1ecc188c314765b8010146ae020"
# event LiquidationPenaltyRatioChanged(uint24)
PENALTY_CHANGED: Final = "0xf95b3e2798060899824a0bebdd89ff5df3d51c51c5d30f5184bd30d7a6b01708"
# event TwapIntervalChanged(uint256)
TWAP_INTERVAL_CHANGED: Final = "0x0bd5e02c0d6277fdf7c7c72fae10042c4c832b26ea94623a04b79a50a35a217e"
# event MaxFundingRateChanged(uint24)
MAX_FUNDING_CHANGED: Final = "0x0bcb070f78e3c4fec82334dff77e5369a878886b8be26c9f98daa534a8cf6778"
# event MarkPriceMarketTwapIntervalChanged(uint32)
MARKET_INTERVAL_CHANGED: Final = "0x043c6e0951171948ce43384f016d5cf8b28aaf1cc67b386b7f24c7cd442a101f"
# event MarkPricePremiumIntervalChanged(uint32)
PREMIUM_INTERVAL_CHANGED: Final = "0x2ded22d3f7efd4c22dabf8f320ff2d8d1ecdce90fa5d891616bd9de5ef5849bb"
# event SettlementTokenBalanceCapChanged(uint256)
BALANCE_CAP_CHANGED: Final = "0xc6564be86420b541b7946583fdb54d45535a59a04e3b3525b536ccc547b4cd8f"
# event CollateralAdded(address,address,uint24,uint24,uint256)
COLLATERAL_ADDED: Final = "0xd0389550217821f9cc5a0083667927af8975045b224a4d9b6e463fbb5d76c843"
# event CollateralRatioChanged(address,uint24)
COLLATERAL_RATIO_CHANGED: Final = "0xf5835a89fb1ddbf664427bb605f15cdab5c8138d96bf5548af663d80c586f86e"
# event PriceFeedChanged(address,address)
COLLATERAL_FEED_CHANGED: Final = "0xf41a3b1d02012f65ae0013b820b751937676e06fe15550a1841ad88825d0b0dd"
# event StatusUpdated(uint8)
STATUS_UPDATED: Final = "0x7101a660456a4e2f94e6b0ccd3d6a034724e26130a817471aaf5a3de8fba384a"
# event PriceFeedChanged(address)
FEED_CHANGED: Final = "0x70880247142cf113e15f57599afcb48f4cdd196159d882cda54475da68ea9961"
# event UniswapV3PriceFeedUpdated(address)
SECOND_SOURCE_SET: Final = "0xcc38df4cffc97c63a74bdcf095d2987ef21f05ae75ef6faba701e9f2c834dc27"
# event ChainlinkPriceUpdated(uint256,uint256,uint8)
PRICE_UPDATED: Final = "0xcfc00d555c19103be8966c15035956ddd6912f374557b4e585dd076399400c30"
# event Mint(address,address,int24,int24,uint128,uint256,uint256)
POOL_MINT: Final = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
# event Burn(address,int24,int24,uint128,uint256,uint256)
POOL_BURN: Final = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
# event Swap(address,address,int256,int256,uint160,uint128,int24)
POOL_SWAP: Final = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
