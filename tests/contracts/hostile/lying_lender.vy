# pragma version 0.4.3
"""
@title A lender of Aave's or Morpho's kind that lies in the way it is told to
@notice For tests.
"""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, to: address, amount: uint256) -> bool: nonpayable

interface Borrower:
    def executeOperation(asset: address, amount: uint256, premium: uint256, initiator: address, data: Bytes[1]) -> bool: nonpayable
    def onMorphoFlashLoan(amount: uint256, data: Bytes[1]): nonpayable

struct Lie:
    lends: uint256  # percent of what was asked
    says: uint256  # that it has lent; zero: what was asked
    fee: uint256
    calls_back: uint256  # times
    initiator: address  # nobody: who asked
    ally: address  # is handed control while it lends; nobody: it is not
    takes: uint256  # beyond what it said

lie: Lie


@external
def behave(lie: Lie):
    self.lie = lie


@external
def flashLoanSimple(receiver: address, asset: address, amount: uint256, data: Bytes[1], referral: uint16):
    lie: Lie = self.lie
    said: uint256 = self._lend(receiver, asset, amount)
    who: address = msg.sender if lie.initiator == empty(address) else lie.initiator
    for _: uint256 in range(lie.calls_back, bound=4):
        extcall Borrower(receiver).executeOperation(asset, said, lie.fee, who, b"")
    self._take(receiver, asset, said)


@external
def flashLoan(asset: address, amount: uint256, data: Bytes[1]):
    said: uint256 = self._lend(msg.sender, asset, amount)
    for _: uint256 in range(self.lie.calls_back, bound=4):
        extcall Borrower(msg.sender).onMorphoFlashLoan(said + self.lie.fee, b"")
    self._take(msg.sender, asset, said)


@internal
def _lend(to: address, asset: address, amount: uint256) -> uint256:
    extcall Token(asset).transfer(to, amount * self.lie.lends // 100)
    if self.lie.ally != empty(address):
        raw_call(self.lie.ally, b"")
    return amount if self.lie.says == 0 else self.lie.says


@internal
def _take(owner: address, asset: address, said: uint256):
    if self.lie.calls_back != 0:  # else it gives away what it lent, and nobody knows
        extcall Token(asset).transferFrom(owner, self, said + self.lie.fee + self.lie.takes)
