"""First topics of the logs that move positions, markets or the list of sources.

Law: a topic is the keccak-256 of the signature in the comment above it; ``tests/unit/test_morpho_decode.py`` recomputes
every one from that comment.
"""

from typing import Final

# event CreateMarket(bytes32,(address,address,address,address,uint256))
CREATE_MARKET: Final = "0xac4b2400f169220b0c0afdde7a0b32e775ba727ea1cb30b35f935cdaab8683ac"
# event Supply(bytes32,address,address,uint256,uint256)
SUPPLY: Final = "0xedf8870433c83823eb071d3df1caa8d008f12f6440918c20d75a3602cda30fe0"
# event Withdraw(bytes32,address,address,address,uint256,uint256)
WITHDRAW: Final = "0xa56fc0ad5702ec05ce63666221f796fb62437c32db1aa1aa075fc6484cf58fbf"
# event Borrow(bytes32,address,address,address,uint256,uint256)
BORROW: Final = "0x570954540bed6b1304a87dfe815a5eda4a648f7097a16240dcd85c9b5fd42a43"
# event Repay(bytes32,address,address,uint256,uint256)
REPAY: Final = "0x52acb05cebbd3cd39715469f22afbf5a17496295ef3bc9bb5944056c63ccaa09"
# event SupplyCollateral(bytes32,address,address,uint256)
SUPPLY_COLLATERAL: Final = "0xa3b9472a1399e17e123f3c2e6586c23e504184d504de59cdaa2b375e880c6184"
# event WithdrawCollateral(bytes32,address,address,address,uint256)
WITHDRAW_COLLATERAL: Final = "0xe80ebd7cc9223d7382aab2e0d1d6155c65651f83d53c8b9b06901d167e321142"
# event Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)
LIQUIDATE: Final = "0xa4946ede45d0c6f06a0f5ce92c9ad3b4751452d2fe0e25010783bcab57a67e41"
# event AccrueInterest(bytes32,uint256,uint256,uint256)
ACCRUE_INTEREST: Final = "0x9d9bd501d0657d7dfe415f779a620a62b78bc508ddc0891fbbd8b7ac0f8fce87"
# event SetFee(bytes32,uint256)
SET_FEE: Final = "0x139d6f58e9a127229667c8e3b36e88890a66cfc8ab1024ddc513e189e125b75b"
# event SetAuthorization(address,address,address,bool)
SET_AUTHORIZATION: Final = "0xd5e969f01efe921d3f766bdebad25f0a05e3f237311f56482bf132d0326309c0"
# event BorrowRateUpdate(bytes32,uint256,uint256)
BORROW_RATE_UPDATE: Final = "0x7120161a7b3d31251e01294ab351ef15a41b91659a36032e4641bb89b121e321"
# event CreatePreLiquidation(address,bytes32,(uint256,uint256,uint256,uint256,uint256,address))
CREATE_PRE_LIQUIDATION: Final = "0xc36ddf254f2ae7c3a2c82dc525fed9a804cdaf8102b19b3caa5aeda5afcca382"
# event PreLiquidate(bytes32,address,address,uint256,uint256,uint256)
PRE_LIQUIDATE: Final = "0xd5b01f148b35d6069b626af105bf8881bc2e30ee1ce3de4630903abab0ba8580"
