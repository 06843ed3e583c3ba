# pragma version 0.4.3
"""
@title The comptroller of a Compound v2 fork, in the manner of Moonwell
@notice A fixture: no package ships such a fork. One incentive for all markets, collateral factors that are also the
        liquidation thresholds, no Liquidator, no pools, errors told by numbers; its own oracle, over Chainlink feeds.
"""


interface Market:
    def getAccountSnapshot(account: address) -> (uint256, uint256, uint256, uint256): view
    def borrowBalanceStored(account: address) -> uint256: view
    def exchangeRateStored() -> uint256: view


interface Feed:
    def latestAnswer() -> int256: view


event MarketListed:
    mToken: address

event MarketEntered:
    mToken: address
    account: address

event MarketExited:
    mToken: address
    account: address

event NewCollateralFactor:
    mToken: address
    old: uint256
    new: uint256

event ActionPaused:
    action: String[8]
    state: bool


struct Listing:
    isListed: bool
    collateralFactorMantissa: uint256


WAD: constant(uint256) = 10**18
INSUFFICIENT_SHORTFALL: constant(uint256) = 3
INSUFFICIENT_LIQUIDITY: constant(uint256) = 4
MARKET_NOT_LISTED: constant(uint256) = 9
NONZERO_BORROW: constant(uint256) = 12
PRICE_ERROR: constant(uint256) = 13
TOO_MUCH_REPAY: constant(uint256) = 17

admin: address
markets: public(HashMap[address, Listing])
all: DynArray[address, 16]
assets: HashMap[address, DynArray[address, 16]]
checkMembership: public(HashMap[address, HashMap[address, bool]])
feeds: HashMap[address, address]
scales: HashMap[address, uint256]
closeFactorMantissa: public(uint256)
liquidationIncentiveMantissa: public(uint256)
seizeGuardianPaused: public(bool)


@deploy
def __init__():
    self.admin = msg.sender
    self.closeFactorMantissa = WAD // 2
    self.liquidationIncentiveMantissa = 110 * WAD // 100


@external
@view
def isComptroller() -> bool:
    return True


@external
@view
def oracle() -> address:
    return self


@external
@view
def getAllMarkets() -> DynArray[address, 16]:
    return self.all


@external
@view
def getAssetsIn(account: address) -> DynArray[address, 16]:
    return self.assets[account]


@external
@view
def getUnderlyingPrice(mToken: address) -> uint256:
    return self._price(mToken)


@internal
@view
def _price(mToken: address) -> uint256:
    answer: int256 = staticcall Feed(self.feeds[mToken]).latestAnswer()
    return convert(answer, uint256) * self.scales[mToken] if answer > 0 else 0


@external
def support(mToken: address, feed: address, scale: uint256, factor: uint256):
    assert msg.sender == self.admin
    if not self.markets[mToken].isListed:
        self.all.append(mToken)
        log MarketListed(mToken=mToken)
    log NewCollateralFactor(mToken=mToken, old=self.markets[mToken].collateralFactorMantissa, new=factor)
    self.markets[mToken] = Listing(isListed=True, collateralFactorMantissa=factor)
    self.feeds[mToken] = feed
    self.scales[mToken] = scale


@external
def pauseSeize(state: bool):
    assert msg.sender == self.admin
    self.seizeGuardianPaused = state
    log ActionPaused(action="Seize", state=state)


@external
def enterMarkets(mTokens: DynArray[address, 16]):
    for mToken: address in mTokens:
        assert self.markets[mToken].isListed
        self._enter(mToken, msg.sender)


@internal
def _enter(mToken: address, account: address):
    if not self.checkMembership[account][mToken]:
        self.checkMembership[account][mToken] = True
        self.assets[account].append(mToken)
        log MarketEntered(mToken=mToken, account=account)


@external
def exitMarket(mToken: address) -> uint256:
    error: uint256 = 0
    tokens: uint256 = 0
    owed: uint256 = 0
    rate: uint256 = 0
    error, tokens, owed, rate = staticcall Market(mToken).getAccountSnapshot(msg.sender)
    if owed != 0:
        return NONZERO_BORROW
    refused: uint256 = self._redeemable(mToken, msg.sender, tokens)
    if refused != 0:
        return refused
    if self.checkMembership[msg.sender][mToken]:
        self.checkMembership[msg.sender][mToken] = False
        left: DynArray[address, 16] = []
        for one: address in self.assets[msg.sender]:
            if one != mToken:
                left.append(one)
        self.assets[msg.sender] = left
        log MarketExited(mToken=mToken, account=msg.sender)
    return 0


@internal
@view
def _liquidity(account: address, modify: address, redeemed: uint256, borrowed: uint256) -> (uint256, uint256, uint256):
    """Every entered market needs a price, whatever the account has in it."""
    collateral: uint256 = 0
    debt: uint256 = 0
    for mToken: address in self.assets[account]:
        error: uint256 = 0
        tokens: uint256 = 0
        owed: uint256 = 0
        rate: uint256 = 0
        error, tokens, owed, rate = staticcall Market(mToken).getAccountSnapshot(account)
        price: uint256 = self._price(mToken)
        if price == 0:
            return PRICE_ERROR, 0, 0
        unit: uint256 = self.markets[mToken].collateralFactorMantissa * rate // WAD * price // WAD
        collateral += unit * tokens // WAD
        debt += price * owed // WAD
        if mToken == modify:
            debt += unit * redeemed // WAD + price * borrowed // WAD
    if collateral > debt:
        return 0, collateral - debt, 0
    return 0, 0, debt - collateral


@external
@view
def getAccountLiquidity(account: address) -> (uint256, uint256, uint256):
    return self._liquidity(account, empty(address), 0, 0)


@external
@view
def redeemAllowed(mToken: address, account: address, tokens: uint256) -> uint256:
    return self._redeemable(mToken, account, tokens)


@internal
@view
def _redeemable(mToken: address, account: address, tokens: uint256) -> uint256:
    if not self.checkMembership[account][mToken]:
        return 0
    error: uint256 = 0
    liquidity: uint256 = 0
    shortfall: uint256 = 0
    error, liquidity, shortfall = self._liquidity(account, mToken, tokens, 0)
    if error != 0:
        return error
    return INSUFFICIENT_LIQUIDITY if shortfall != 0 else 0


@external
def borrowAllowed(mToken: address, account: address, amount: uint256) -> uint256:
    if not self.markets[mToken].isListed or msg.sender != mToken:
        return MARKET_NOT_LISTED
    self._enter(mToken, account)
    error: uint256 = 0
    liquidity: uint256 = 0
    shortfall: uint256 = 0
    error, liquidity, shortfall = self._liquidity(account, mToken, 0, amount)
    if error != 0:
        return error
    return INSUFFICIENT_LIQUIDITY if shortfall != 0 else 0


@external
@view
def liquidateBorrowAllowed(borrowed: address, collateral: address, account: address, repay: uint256) -> uint256:
    if not self.markets[borrowed].isListed or not self.markets[collateral].isListed:
        return MARKET_NOT_LISTED
    error: uint256 = 0
    liquidity: uint256 = 0
    shortfall: uint256 = 0
    error, liquidity, shortfall = self._liquidity(account, empty(address), 0, 0)
    if error != 0:
        return error
    if shortfall == 0:
        return INSUFFICIENT_SHORTFALL
    if repay > self.closeFactorMantissa * staticcall Market(borrowed).borrowBalanceStored(account) // WAD:
        return TOO_MUCH_REPAY
    return 0


@external
@view
def seizeAllowed(collateral: address, borrowed: address) -> uint256:
    assert not self.seizeGuardianPaused, "seize is paused"
    return 0 if self.markets[collateral].isListed and self.markets[borrowed].isListed else MARKET_NOT_LISTED


@external
@view
def liquidateCalculateSeizeTokens(borrowed: address, collateral: address, repay: uint256) -> (uint256, uint256):
    owed_price: uint256 = self._price(borrowed)
    held_price: uint256 = self._price(collateral)
    if owed_price == 0 or held_price == 0:
        return PRICE_ERROR, 0
    numerator: uint256 = self.liquidationIncentiveMantissa * owed_price // WAD
    denominator: uint256 = held_price * staticcall Market(collateral).exchangeRateStored() // WAD
    return 0, numerator * WAD // denominator * repay // WAD
