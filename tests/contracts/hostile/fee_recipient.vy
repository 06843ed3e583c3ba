# pragma version 0.4.3
"""
@title A block's fee recipient that refuses what it is given, burns all the gas it gets, or calls back
@notice For tests.
"""

event Tried:
    place: uint256
    succeeded: bool

FOREVER: constant(uint256) = 2**150  # a head whose last block never comes

burns: bool
victim: address
token: address


@external
def set_burns(burns: bool):
    self.burns = burns


@external
def set_victim(victim: address, token: address):
    self.victim = victim
    self.token = token


@external
@payable
def __default__():
    if self.victim != empty(address):
        victim: address = self.victim
        self._try(0, victim, abi_encode(self.token, empty(uint256), method_id=method_id("sweep(address,uint256)")))
        self._try(1, victim, abi_encode(FOREVER, empty(uint256), method_id=method_id("execute(uint256)")))
        self._try(2, victim, abi_encode(empty(uint256), empty(uint256), method_id=method_id("own()")))
        return
    assert self.burns
    spent: uint256 = 0
    for i: uint256 in range(1_000_000):
        spent += convert(keccak256(convert(i, bytes32)), uint256) % 2


@internal
def _try(place: uint256, victim: address, data: Bytes[68]):
    succeeded: bool = raw_call(victim, data, gas=6_000, revert_on_failure=False)
    log Tried(place=place, succeeded=succeeded)
