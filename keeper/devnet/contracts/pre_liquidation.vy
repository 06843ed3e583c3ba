# pragma version 0.4.3
"""
@title A pre-liquidation contract for Morpho Blue: a fixture
@notice Law: the maths, the order of checks, the event and the callback of Morpho's PreLiquidation, written anew for local
    chains, because that contract is in no package that can be pinned. It is told its terms once, by its factory.
"""

struct MarketParams:
    loan: address
    collateral: address
    oracle: address
    irm: address
    lltv: uint256

struct Market:
    supply_assets: uint128
    supply_shares: uint128
    borrow_assets: uint128
    borrow_shares: uint128
    updated: uint128
    fee: uint128

struct Position:
    supply_shares: uint256
    borrow_shares: uint128
    collateral: uint128

struct Terms:
    lltv: uint256
    close_factor_1: uint256
    close_factor_2: uint256
    incentive_1: uint256
    incentive_2: uint256
    oracle: address

interface Morpho:
    def idToMarketParams(id: bytes32) -> MarketParams: view
    def market(id: bytes32) -> Market: view
    def position(id: bytes32, owner: address) -> Position: view
    def accrueInterest(params: MarketParams): nonpayable
    def repay(params: MarketParams, assets: uint256, shares: uint256, owner: address, data: Bytes[256]) -> (uint256, uint256): nonpayable
    def withdrawCollateral(params: MarketParams, assets: uint256, owner: address, receiver: address): nonpayable

interface Oracle:
    def price() -> uint256: view

interface Token:
    def approve(spender: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Liquidator:
    def onPreLiquidate(repaid: uint256, data: Bytes[64]): nonpayable

event PreLiquidate:
    id: indexed(bytes32)
    liquidator: indexed(address)
    borrower: indexed(address)
    repaidAssets: uint256
    repaidShares: uint256
    seizedAssets: uint256

WAD: constant(uint256) = 10**18
SCALE: constant(uint256) = 10**36

MORPHO: public(address)
ID: public(bytes32)
params: MarketParams
terms: Terms


@external
def begin(morpho: address, id: bytes32, terms: Terms):
    assert self.MORPHO == empty(address), "begun"
    self.MORPHO = morpho
    self.ID = id
    self.params = staticcall Morpho(morpho).idToMarketParams(id)
    self.terms = terms
    assert terms.lltv < self.params.lltv
    assert terms.close_factor_1 <= terms.close_factor_2 and terms.close_factor_1 <= WAD
    assert WAD <= terms.incentive_1 and terms.incentive_1 <= terms.incentive_2
    assert terms.incentive_2 <= WAD * WAD // self.params.lltv
    assert extcall Token(self.params.loan).approve(morpho, max_value(uint256), default_return_value=True)


@external
@view
def marketParams() -> MarketParams:
    return self.params


@external
@view
def preLiquidationParams() -> Terms:
    return self.terms


@external
def preLiquidate(borrower: address, seized_assets: uint256, repaid_shares: uint256, data: Bytes[64]) -> (uint256, uint256):
    assert (seized_assets == 0) != (repaid_shares == 0), "inconsistent input"
    morpho: Morpho = Morpho(self.MORPHO)
    extcall morpho.accrueInterest(self.params)
    market: Market = staticcall morpho.market(self.ID)
    position: Position = staticcall morpho.position(self.ID, borrower)
    assets: uint256 = convert(market.borrow_assets, uint256) + 1
    shares: uint256 = convert(market.borrow_shares, uint256) + 10**6
    owed: uint256 = convert(position.borrow_shares, uint256)
    price: uint256 = staticcall Oracle(self.terms.oracle).price()
    quoted: uint256 = convert(position.collateral, uint256) * price // SCALE
    debt: uint256 = self._up(owed * assets, shares)
    assert debt <= quoted * self.params.lltv // WAD, "liquidatable"
    assert debt > quoted * self.terms.lltv // WAD, "not pre-liquidatable"
    along: uint256 = (self._up(debt * WAD, quoted) - self.terms.lltv) * WAD // (self.params.lltv - self.terms.lltv)
    incentive: uint256 = along * (self.terms.incentive_2 - self.terms.incentive_1) // WAD + self.terms.incentive_1
    seized: uint256 = seized_assets
    repaid: uint256 = repaid_shares
    if seized > 0:
        repaid = self._up(self._up(self._up(seized * price, SCALE) * WAD, incentive) * shares, assets)
    else:
        seized = (repaid * assets // shares * incentive // WAD) * SCALE // price
    close: uint256 = along * (self.terms.close_factor_2 - self.terms.close_factor_1) // WAD + self.terms.close_factor_1
    assert repaid <= owed * close // WAD, "too large"
    handed: Bytes[256] = abi_encode(seized, borrower, msg.sender, data)
    paid: uint256 = (extcall morpho.repay(self.params, 0, repaid, borrower, handed))[0]
    log PreLiquidate(
        id=self.ID, liquidator=msg.sender, borrower=borrower, repaidAssets=paid, repaidShares=repaid, seizedAssets=seized
    )
    return seized, paid


@external
def onMorphoRepay(repaid: uint256, handed: Bytes[256]):
    assert msg.sender == self.MORPHO, "not Morpho"
    seized: uint256 = 0
    borrower: address = empty(address)
    liquidator: address = empty(address)
    data: Bytes[64] = b""
    seized, borrower, liquidator, data = abi_decode(handed, (uint256, address, address, Bytes[64]))
    extcall Morpho(self.MORPHO).withdrawCollateral(self.params, seized, borrower, liquidator)
    if len(data) > 0:
        extcall Liquidator(liquidator).onPreLiquidate(repaid, data)
    assert extcall Token(self.params.loan).transferFrom(liquidator, self, repaid, default_return_value=True)


@internal
@pure
def _up(above: uint256, below: uint256) -> uint256:
    return (above + below - 1) // below
