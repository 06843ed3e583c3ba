# pragma version 0.4.3
"""
@title A token that answers false to one account, and moves nothing for it
@notice For tests. To all others it is an ordinary token with an open mint.
"""

decimals: public(constant(uint8)) = 18
name: public(constant(String[8])) = "Refusing"
symbol: public(constant(String[8])) = "NO"
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
refused: public(address)
refuses_approvals: bool


@external
def refuse(account: address, approvals: bool):
    self.refused = account
    self.refuses_approvals = approvals


@external
def mint(account: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[account] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    if msg.sender == self.refused and self.refuses_approvals:
        return False
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    if msg.sender == self.refused:
        return False
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    if sender == self.refused:
        return False
    self.allowance[sender][msg.sender] -= amount
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    return True
