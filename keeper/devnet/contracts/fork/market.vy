# pragma version 0.4.3
"""
@title A market of a Compound v2 fork, in the manner of Moonwell
@notice A fixture: no package ships such a fork. Interest by the second, a share of everything seized for the protocol,
        cash as the balance of the token, refusals by numbers and ``Failure``.
"""

interface Token:
    def balanceOf(account: address) -> uint256: view
    def transfer(to: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, to: address, amount: uint256) -> bool: nonpayable


interface Comptroller:
    def redeemAllowed(mToken: address, account: address, tokens: uint256) -> uint256: view
    def borrowAllowed(mToken: address, account: address, amount: uint256) -> uint256: nonpayable
    def liquidateBorrowAllowed(borrowed: address, collateral: address, account: address, repay: uint256) -> uint256: view
    def seizeAllowed(collateral: address, borrowed: address) -> uint256: view
    def liquidateCalculateSeizeTokens(borrowed: address, collateral: address, repay: uint256) -> (uint256, uint256): view


interface Other:
    def accrueInterest() -> uint256: nonpayable
    def balanceOf(account: address) -> uint256: view
    def seize(liquidator: address, account: address, tokens: uint256) -> uint256: nonpayable


event Transfer:
    sender: indexed(address)
    to: indexed(address)
    amount: uint256

event AccrueInterest:
    cashPrior: uint256
    interestAccumulated: uint256
    borrowIndex: uint256
    totalBorrows: uint256

event Mint:
    minter: address
    amount: uint256
    tokens: uint256

event Redeem:
    redeemer: address
    amount: uint256
    tokens: uint256

event Borrow:
    borrower: address
    amount: uint256
    accountBorrows: uint256
    totalBorrows: uint256

event RepayBorrow:
    payer: address
    borrower: address
    amount: uint256
    accountBorrows: uint256
    totalBorrows: uint256

event LiquidateBorrow:
    liquidator: address
    borrower: address
    repaid: uint256
    collateral: address
    seized: uint256

event NewProtocolSeizeShare:
    old: uint256
    new: uint256

event Failure:
    error: uint256
    info: uint256
    detail: uint256


WAD: constant(uint256) = 10**18
REJECTED: constant(uint256) = 3
PAIR: constant(uint256) = 6
CLOSE_AMOUNT: constant(uint256) = 7
decimals: public(constant(uint8)) = 8
underlying: public(immutable(address))
comptroller: public(immutable(address))
first_rate: immutable(uint256)
base: immutable(uint256)  # interest a second, at no use
slope: immutable(uint256)
totalSupply: public(uint256)
totalBorrows: public(uint256)
totalReserves: public(uint256)
borrowIndex: public(uint256)
accrualBlockTimestamp: public(uint256)
balanceOf: public(HashMap[address, uint256])
principal: HashMap[address, uint256]
index: HashMap[address, uint256]
reserveFactorMantissa: public(constant(uint256)) = 15 * WAD // 100
protocolSeizeShareMantissa: public(uint256)


@deploy
def __init__(token: address, whole: address, rate: uint256, base_: uint256, slope_: uint256):
    underlying = token
    comptroller = whole
    first_rate = rate
    base = base_
    slope = slope_
    self.borrowIndex = WAD
    self.protocolSeizeShareMantissa = 3 * WAD // 100
    self.accrualBlockTimestamp = block.timestamp


@external
def setSeizeShare(share: uint256):
    """Open to all: it is a fixture."""
    log NewProtocolSeizeShare(old=self.protocolSeizeShareMantissa, new=share)
    self.protocolSeizeShareMantissa = share


@internal
@view
def _cash() -> uint256:
    return staticcall Token(underlying).balanceOf(self)


@external
@view
def getCash() -> uint256:
    return self._cash()


@internal
@view
def _borrow_rate() -> uint256:
    whole: uint256 = self._cash() + self.totalBorrows - self.totalReserves
    return base + (slope * self.totalBorrows // whole if whole != 0 else 0)


@external
@view
def borrowRatePerTimestamp() -> uint256:
    return self._borrow_rate()


@external
def accrueInterest() -> uint256:
    return self._accrue()


@internal
def _accrue() -> uint256:
    elapsed: uint256 = block.timestamp - self.accrualBlockTimestamp
    if elapsed == 0:
        return 0
    cash: uint256 = self._cash()
    factor: uint256 = self._borrow_rate() * elapsed
    interest: uint256 = factor * self.totalBorrows // WAD
    self.totalBorrows += interest
    self.totalReserves += reserveFactorMantissa * interest // WAD
    self.borrowIndex += factor * self.borrowIndex // WAD
    self.accrualBlockTimestamp = block.timestamp
    log AccrueInterest(
        cashPrior=cash, interestAccumulated=interest, borrowIndex=self.borrowIndex, totalBorrows=self.totalBorrows
    )
    return 0


@internal
@view
def _rate() -> uint256:
    if self.totalSupply == 0:
        return first_rate
    return (self._cash() + self.totalBorrows - self.totalReserves) * WAD // self.totalSupply


@external
@view
def exchangeRateStored() -> uint256:
    return self._rate()


@internal
@view
def _owed(account: address) -> uint256:
    if self.principal[account] == 0:
        return 0
    return self.principal[account] * self.borrowIndex // self.index[account]


@external
@view
def borrowBalanceStored(account: address) -> uint256:
    return self._owed(account)


@external
@view
def getAccountSnapshot(account: address) -> (uint256, uint256, uint256, uint256):
    return 0, self.balanceOf[account], self._owed(account), self._rate()


@internal
def _fail(error: uint256, info: uint256, detail: uint256) -> uint256:
    log Failure(error=error, info=info, detail=detail)
    return error


@external
def transfer(to: address, amount: uint256) -> bool:
    refused: uint256 = staticcall Comptroller(comptroller).redeemAllowed(self, msg.sender, amount)
    if refused != 0 or to == msg.sender:
        self._fail(REJECTED, 0, refused)
        return False
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=msg.sender, to=to, amount=amount)
    return True


@external
def mint(amount: uint256) -> uint256:
    self._accrue()
    tokens: uint256 = amount * WAD // self._rate()
    assert extcall Token(underlying).transferFrom(msg.sender, self, amount)
    self.totalSupply += tokens
    self.balanceOf[msg.sender] += tokens
    log Mint(minter=msg.sender, amount=amount, tokens=tokens)
    log Transfer(sender=self, to=msg.sender, amount=tokens)
    return 0


@external
def redeem(tokens: uint256) -> uint256:
    self._accrue()
    refused: uint256 = staticcall Comptroller(comptroller).redeemAllowed(self, msg.sender, tokens)
    if refused != 0:
        return self._fail(REJECTED, 0, refused)
    amount: uint256 = self._rate() * tokens // WAD
    self.totalSupply -= tokens
    self.balanceOf[msg.sender] -= tokens
    assert extcall Token(underlying).transfer(msg.sender, amount)
    log Transfer(sender=msg.sender, to=self, amount=tokens)
    log Redeem(redeemer=msg.sender, amount=amount, tokens=tokens)
    return 0


@external
def borrow(amount: uint256) -> uint256:
    self._accrue()
    refused: uint256 = extcall Comptroller(comptroller).borrowAllowed(self, msg.sender, amount)
    if refused != 0:
        return self._fail(REJECTED, 0, refused)
    self.principal[msg.sender] = self._owed(msg.sender) + amount
    self.index[msg.sender] = self.borrowIndex
    self.totalBorrows += amount
    assert extcall Token(underlying).transfer(msg.sender, amount)
    log Borrow(
        borrower=msg.sender, amount=amount, accountBorrows=self.principal[msg.sender], totalBorrows=self.totalBorrows
    )
    return 0


@external
def repayBorrow(amount: uint256) -> uint256:
    self._accrue()
    self._repay(msg.sender, msg.sender, self._owed(msg.sender) if amount == max_value(uint256) else amount)
    return 0


@internal
def _repay(payer: address, account: address, amount: uint256):
    left: uint256 = self._owed(account) - amount
    assert extcall Token(underlying).transferFrom(payer, self, amount)
    self.principal[account] = left
    self.index[account] = self.borrowIndex
    self.totalBorrows -= min(amount, self.totalBorrows)
    log RepayBorrow(
        payer=payer, borrower=account, amount=amount, accountBorrows=left, totalBorrows=self.totalBorrows
    )


@external
def liquidateBorrow(account: address, repay: uint256, collateral: address) -> uint256:
    self._accrue()
    if collateral != self:
        extcall Other(collateral).accrueInterest()
    refused: uint256 = staticcall Comptroller(comptroller).liquidateBorrowAllowed(self, collateral, account, repay)
    if refused != 0:
        return self._fail(REJECTED, 18, refused)
    if account == msg.sender:
        return self._fail(PAIR, 23, 0)
    if repay == 0 or repay == max_value(uint256):
        return self._fail(CLOSE_AMOUNT, 21, 0)
    self._repay(msg.sender, account, repay)
    error: uint256 = 0
    tokens: uint256 = 0
    error, tokens = staticcall Comptroller(comptroller).liquidateCalculateSeizeTokens(self, collateral, repay)
    assert error == 0, "LIQUIDATE_COMPTROLLER_CALCULATE_AMOUNT_SEIZE_FAILED"
    if collateral == self:
        assert self.balanceOf[account] >= tokens, "LIQUIDATE_SEIZE_TOO_MUCH"
        self._seize(self, msg.sender, account, tokens)
    else:
        assert staticcall Other(collateral).balanceOf(account) >= tokens, "LIQUIDATE_SEIZE_TOO_MUCH"
        assert extcall Other(collateral).seize(msg.sender, account, tokens) == 0, "token seizure failed"
    log LiquidateBorrow(
        liquidator=msg.sender, borrower=account, repaid=repay, collateral=collateral, seized=tokens
    )
    return 0


@external
def seize(liquidator: address, account: address, tokens: uint256) -> uint256:
    self._seize(msg.sender, liquidator, account, tokens)
    return 0


@internal
def _seize(seizer: address, liquidator: address, account: address, tokens: uint256):
    assert staticcall Comptroller(comptroller).seizeAllowed(self, seizer) == 0
    kept: uint256 = tokens * self.protocolSeizeShareMantissa // WAD
    self.totalReserves += self._rate() * kept // WAD
    self.totalSupply -= kept
    self.balanceOf[account] -= tokens
    self.balanceOf[liquidator] += tokens - kept
    log Transfer(sender=account, to=liquidator, amount=tokens - kept)
    log Transfer(sender=account, to=self, amount=kept)
