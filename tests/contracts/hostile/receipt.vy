# pragma version 0.4.3
"""
@title A receipt, redeemed as a vault's share or as a cToken is: two for one of its asset
@notice For tests. It can answer an error number instead, and it can keep the asset.
"""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

asset: public(address)
number: uint256
keeps: bool
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(asset: address):
    self.asset = asset


@external
def behave(code: uint256, keeps: bool):
    self.number = code
    self.keeps = keeps


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def transfer(to: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def redeem(amount: uint256, receiver: address = msg.sender, owner: address = msg.sender) -> uint256:
    assert owner == msg.sender
    if self.number != 0:
        return self.number
    self.balanceOf[msg.sender] -= amount
    if not self.keeps:
        extcall Token(self.asset).transfer(receiver, amount // 2)
    return 0
