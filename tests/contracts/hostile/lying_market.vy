# pragma version 0.4.3
"""
@title A market of every style that lies in the way it is told to
@notice For tests. It is its own spender, and the doors in and out of its ledger; another one of it keeps who is trusted. It makes what calls it was
    prepared with in the middle of a liquidation, as whoever is trusted for a moment could.
"""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, to: address, amount: uint256) -> bool: nonpayable

interface Liquidator:
    def onMorphoLiquidate(repaid: uint256, data: Bytes[32]): nonpayable
    def onPreLiquidate(repaid: uint256, data: Bytes[32]): nonpayable
    def clipperCall(sender: address, owe: uint256, amount: uint256, data: Bytes[32]): nonpayable

interface Ledger:
    def trusted(who: address) -> bool: view

struct Behaviour:
    collateral: address
    debt: address
    gives: uint256  # of the collateral, before it calls back
    asks: uint256  # what it says it is owed
    takes: uint256  # what it takes
    calls_back: uint256  # times
    code: uint256  # the error number it answers
    by: address  # whom it says the call came from, in an auction
    ally: address  # who calls back in its place
    ledger: address  # where an auction must have been trusted

struct Call:
    target: address
    data: Bytes[1024]

event Tried:
    place: uint256
    succeeded: bool

RAY: constant(uint256) = 10**27

behaviour: Behaviour
calls: DynArray[Call, 24]
trusted: public(HashMap[address, bool])
gems: public(HashMap[address, uint256])
dai: public(HashMap[address, uint256])
debts: public(HashMap[address, uint256])


@external
def behave(behaviour: Behaviour):
    self.behaviour = behaviour


@external
def prepare(target: address, data: Bytes[1024]):
    self.calls.append(Call(target=target, data=data))


@external
def owe(account: address, amount: uint256):
    self.debts[account] = amount


@external
@view
def position(_pocket: uint256, account: address) -> (uint256, uint256):
    return 1, self.debts[account]


# --- prefunded, bounty, takeover ------------------------------------------------------------------------------------


@external
def liquidateBorrow(_borrower: address, _repay: uint256, _collateral: address) -> uint256:
    self._misbehave()
    if self.behaviour.code != 0:
        return self.behaviour.code
    self._pull(self.behaviour.debt, self.behaviour.takes)
    self._give(msg.sender, self.behaviour.gives)
    return 0


@external
def bark(keeper: address):
    self._misbehave()
    self._give(keeper, self.behaviour.gives)


# --- pays first, calls back -----------------------------------------------------------------------------------------


@external
def liquidate(_borrower: address, data: Bytes[32]):
    self._give(msg.sender, self.behaviour.gives)
    self._misbehave()
    for _: uint256 in range(self.behaviour.calls_back, bound=3):
        if self.behaviour.ally != empty(address):
            raw_call(self.behaviour.ally, b"")
        else:
            extcall Liquidator(msg.sender).onMorphoLiquidate(self.behaviour.asks, data)
    self._pull(self.behaviour.debt, self.behaviour.takes)


@external
def preLiquidate(_borrower: address, data: Bytes[32]):
    self._give(msg.sender, self.behaviour.gives)
    self._misbehave()
    for _: uint256 in range(self.behaviour.calls_back, bound=3):
        extcall Liquidator(msg.sender).onPreLiquidate(self.behaviour.asks, data)
    self._pull(self.behaviour.debt, self.behaviour.takes)


# --- auctions, inside a ledger --------------------------------------------------------------------------------------


@external
def take(_id: uint256, _amount: uint256, _most: uint256, who: address, data: Bytes[32]):
    self.gems[who] += self.behaviour.gives
    self._misbehave()
    owed: uint256 = self.behaviour.asks * RAY
    for _: uint256 in range(self.behaviour.calls_back, bound=3):
        by: address = msg.sender if self.behaviour.by == empty(address) else self.behaviour.by
        extcall Liquidator(who).clipperCall(by, owed - 1 if owed != 0 else 0, self.behaviour.gives, data)
    assert staticcall Ledger(self.behaviour.ledger).trusted(msg.sender), "not hoped"
    self.dai[msg.sender] -= self.behaviour.takes


@external
def hope(_usr: address):
    self.trusted[msg.sender] = True


@external
def nope(_usr: address):
    self.trusted[msg.sender] = False


@external
def exit(usr: address, amount: uint256):
    self.gems[msg.sender] -= amount
    extcall Token(self.behaviour.collateral).transfer(usr, amount)


@external
def join(usr: address, amount: uint256):
    self._pull(self.behaviour.debt, amount)
    self.dai[usr] += amount


# --- receipts -------------------------------------------------------------------------------------------------------


@external
def redeem(tokens: uint256) -> uint256:
    """
    @notice A cToken's: two for one. An error number is answered, not thrown.
    """
    if self.behaviour.code != 0:
        return self.behaviour.code
    self._give(msg.sender, tokens // 2)
    return 0


@internal
def _give(to: address, amount: uint256):
    if amount != 0:
        extcall Token(self.behaviour.collateral).transfer(to, amount)


@internal
def _pull(token: address, amount: uint256):
    if amount != 0:
        extcall Token(token).transferFrom(msg.sender, self, amount)


@internal
def _misbehave():
    for i: uint256 in range(len(self.calls), bound=24):
        succeeded: bool = raw_call(self.calls[i].target, self.calls[i].data, revert_on_failure=False)
        log Tried(place=i, succeeded=succeeded)
