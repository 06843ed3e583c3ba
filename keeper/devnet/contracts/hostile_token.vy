# pragma version 0.4.3
"""
@title An ERC-20 that can be made to misbehave
@notice Law: without any `set_` call it is an ordinary token with an open mint. For tests on a local chain only.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(String[32])
symbol: public(String[32])
decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])

fee_bps: public(uint256)  # kept from every transfer
blocked: public(HashMap[address, bool])  # neither sends nor receives
answers_false: public(bool)  # instead of reverting when there is too little
hook: public(address)  # called in the middle of every transfer


@deploy
def __init__(name: String[32], symbol: String[32], decimals: uint8):
    self.name = name
    self.symbol = symbol
    self.decimals = decimals


@external
def set_fee(bps: uint256):
    self.fee_bps = bps


@external
def set_blocked(account: address, blocked: bool):
    self.blocked[account] = blocked


@external
def set_answers_false(answers_false: bool):
    self.answers_false = answers_false


@external
def set_hook(hook: address):
    self.hook = hook


@external
def mint(account: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[account] += amount
    log Transfer(sender=empty(address), receiver=account, amount=amount)


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    if self.answers_false and self.allowance[sender][msg.sender] < amount:
        return False
    self.allowance[sender][msg.sender] -= amount
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    assert not self.blocked[sender] and not self.blocked[receiver], "blocked"
    if self.answers_false and self.balanceOf[sender] < amount:
        return False
    fee: uint256 = amount * self.fee_bps // 10_000
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    self.totalSupply -= fee
    log Transfer(sender=sender, receiver=receiver, amount=amount - fee)
    if self.hook != empty(address):
        raw_call(
            self.hook,
            abi_encode(sender, receiver, amount, method_id=method_id("tokensMoved(address,address,uint256)")),
        )
    return True
