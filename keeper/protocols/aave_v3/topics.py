"""First topics of the logs that move health, liquidations or the list of sources.

Law: a topic is the keccak-256 of the signature in the comment above it; ``tests/unit/test_aave_decode.py`` recomputes
every one from that comment.
"""

from typing import Final

# event Mint(address,address,uint256,uint256,uint256)
MINT: Final = "0x458f5fa412d0f69b08dd84872b0215675cc67bc1d5b6fd93300a1c3878b86196"
# event Burn(address,address,uint256,uint256,uint256)
BURN: Final = "0x4cf25bc1d991c17529c25213d3cc0cda295eeaad5f13f361969b12ea48015f90"
# event BalanceTransfer(address,address,uint256,uint256)
BALANCE_TRANSFER: Final = "0x4beccb90f994c31aced7a23b5611020728a23d8ec5cddd1a3e9d97b96fda8666"
# event Mint(address,address,uint256,uint256,uint256,uint256,uint256,uint256)
STABLE_MINT: Final = "0xc16f4e4ca34d790de4c656c72fd015c667d688f20be64eea360618545c4c530f"
# event Burn(address,uint256,uint256,uint256,uint256,uint256)
STABLE_BURN: Final = "0x44bd20a79e993bdcc7cbedf54a3b4d19fb78490124b6b90d04fe3242eea579e8"
# event ReserveDataUpdated(address,uint256,uint256,uint256,uint256,uint256)
RESERVE_DATA_UPDATED: Final = "0x804c9b842b2748a22bb64b345453a3de7ca54a6ca45ce00d415894979e22897a"
# event ReserveUsedAsCollateralEnabled(address,address)
RESERVE_USED_AS_COLLATERAL_ENABLED: Final = "0x00058a56ea94653cdf4f152d227ace22d4c00ad99e2a43f58cb7d9e3feb295f2"
# event ReserveUsedAsCollateralDisabled(address,address)
RESERVE_USED_AS_COLLATERAL_DISABLED: Final = "0x44c58d81365b66dd4b1a7f36c25aa97b8c71c361ee4937adc1a00000227db5dd"
# event UserEModeSet(address,uint8)
USER_EMODE_SET: Final = "0xd728da875fc88944cbf17638bcbe4af0eedaef63becd1d1c57cc097eb4608d84"
# event LiquidationCall(address,address,address,uint256,uint256,address,bool)
LIQUIDATION_CALL: Final = "0xe413a321e8681d831f4dbccbca790d2952b56f977908e45be37335533e005286"
# event DeficitCreated(address,address,uint256)
DEFICIT_CREATED: Final = "0x2bccfb3fad376d59d7accf970515eb77b2f27b082c90ed0fb15583dd5a942699"
# event DeficitCovered(address,address,uint256)
DEFICIT_COVERED: Final = "0x84b203e49f1a4b553088061534231969a68ad1c81be192205e96d23a206cb26a"
# event ReserveInitialized(address,address,address,address,address)
RESERVE_INITIALIZED: Final = "0x3a0ca721fc364424566385a1aa271ed508cc2c0949c2272575fb3013a163a45f"
# event ReserveDropped(address)
RESERVE_DROPPED: Final = "0xeeec4c06f7adad215cbdb4d2960896c83c26aedce02dde76d36fa28588d62da4"
# event CollateralConfigurationChanged(address,uint256,uint256,uint256)
COLLATERAL_CONFIGURATION_CHANGED: Final = "0x637febbda9275aea2e85c0ff690444c8d87eb2e8339bbede9715abcc89cb0995"
# event EModeCategoryAdded(uint8,uint256,uint256,uint256,address,string)
EMODE_CATEGORY_ADDED: Final = "0x0acf8b4a3cace10779798a89a206a0ae73a71b63acdd3be2801d39c2ef7ab3cb"
# event EModeAssetCategoryChanged(address,uint8,uint8)
EMODE_ASSET_CATEGORY_CHANGED: Final = "0x5bb69795b6a2ea222d73a5f8939c23471a1f85a99c7ca43c207f1b71f10c6264"
# event AssetCollateralInEModeChanged(address,uint8,bool)
ASSET_COLLATERAL_IN_EMODE_CHANGED: Final = "0x79409190108b26fcb0e4570f8e240f627bf18fd01a55f751010224d5bd486098"
# event ReserveActive(address,bool)
RESERVE_ACTIVE: Final = "0xc36c7d11ba01a5869d52aa4a3781939dab851cbc9ee6e7fdcedc7d58898a3f1e"
# event ReserveFrozen(address,bool)
RESERVE_FROZEN: Final = "0x0c4443d258a350d27dc50c378b2ebf165e6469725f786d21b30cab16823f5587"
# event ReservePaused(address,bool)
RESERVE_PAUSED: Final = "0xe188d542a5f11925d3a3af33703cdd30a43cb3e8066a3cf68b1b57f61a5a94b5"
# event ReserveFlashLoaning(address,bool)
RESERVE_FLASH_LOANING: Final = "0xc8ff3cc5b0fddaa3e6ebbbd7438f43393e4ea30e88b80ad016c1bc094655034d"
# event LiquidationGracePeriodChanged(address,uint40)
LIQUIDATION_GRACE_PERIOD_CHANGED: Final = "0xdf4f96448786bcd6fecc9f1fa25f1fbbbee6a5c9e76d635a615ac57bb5983d10"
# event LiquidationGracePeriodDisabled(address)
LIQUIDATION_GRACE_PERIOD_DISABLED: Final = "0x1df36dc1651d06d990805068d22811a3a9ca4396190787ef59f9102e61868fff"
# event LiquidationProtocolFeeChanged(address,uint256,uint256)
LIQUIDATION_PROTOCOL_FEE_CHANGED: Final = "0xb5b0a963825337808b6e3154de8e98027595a5cad4219bb3a9bc55b192f4b391"
# event FlashloanPremiumTotalUpdated(uint128,uint128)
FLASHLOAN_PREMIUM_TOTAL_UPDATED: Final = "0x71aba182c9d0529b516de7a78bed74d49c207ef7e152f52f7ea5d8730138f643"
# event ATokenUpgraded(address,address,address)
ATOKEN_UPGRADED: Final = "0xa76f65411ec66a7fb6bc467432eb14767900449ae4469fa295e4441fe5e1cb73"
# event VariableDebtTokenUpgraded(address,address,address)
VARIABLE_DEBT_TOKEN_UPGRADED: Final = "0x9439658a562a5c46b1173589df89cf001483d685bad28aedaff4a88656292d81"  # noqa: S105 - a topic
# event StableDebtTokenUpgraded(address,address,address)
STABLE_DEBT_TOKEN_UPGRADED: Final = "0x7a943a5b6c214bf7726c069a878b1e2a8e7371981d516048b84e03743e67bc28"  # noqa: S105 - a topic
# event PoolUpdated(address,address)
POOL_UPDATED: Final = "0x90affc163f1a2dfedcd36aa02ed992eeeba8100a4014f0b4cdc20ea265a66627"
# event PoolConfiguratorUpdated(address,address)
POOL_CONFIGURATOR_UPDATED: Final = "0x8932892569eba59c8382a089d9b732d1f49272878775235761a2a6b0309cd465"
# event PriceOracleUpdated(address,address)
PRICE_ORACLE_UPDATED: Final = "0x56b5f80d8cac1479698aa7d01605fd6111e90b15fc4d2b377417f46034876cbd"
# event PriceOracleSentinelUpdated(address,address)
PRICE_ORACLE_SENTINEL_UPDATED: Final = "0x5326514eeca90494a14bedabcff812a0e683029ee85d1e23824d44fd14cd6ae7"
# event AddressSet(bytes32,address,address)
ADDRESS_SET: Final = "0x9ef0e8c8e52743bb38b83b17d9429141d494b8041ca6d616a6c77cebae9cd8b7"
# event ProxyCreated(bytes32,address,address)
PROXY_CREATED: Final = "0x4a465a9bd819d9662563c1e11ae958f8109e437e7f4bf1c6ef0b9a7b3f35d478"
# event AddressSetAsProxy(bytes32,address,address,address)
ADDRESS_SET_AS_PROXY: Final = "0x3bbd45b5429b385e3fb37ad5cd1cd1435a3c8ec32196c7937597365a3fd3e99c"
# event Upgraded(address)
UPGRADED: Final = "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"
# event AssetSourceUpdated(address,address)
ASSET_SOURCE_UPDATED: Final = "0x22c5b7b2d8561d39f7f210b6b326a1aa69f15311163082308ac4877db6339dc1"
# event FallbackOracleUpdated(address)
FALLBACK_ORACLE_UPDATED: Final = "0xce7a780d33665b1ea097af5f155e3821b809ecbaa839d3b33aa83ba28168cefb"
# event AggregatorConfirmed(address,address)
AGGREGATOR_CONFIRMED: Final = "0x33745f67a407dcb785417f9c123dd3641479a102674b6e35c1f10975625b90e9"
