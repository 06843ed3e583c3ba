# pragma version 0.4.3
"""
@title LinearDecrease: a price that falls in a line
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: the price reaches 0 after `tau` seconds.
"""

event File:
    what: indexed(bytes32)
    data: uint256

RAY: constant(uint256) = 10**27
TAU: constant(bytes32) = 0x7461750000000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
tau: public(uint256)


@deploy
def __init__():
    self.wards[msg.sender] = 1


@external
def file(what: bytes32, data: uint256):
    self._auth()
    if what == TAU:
        self.tau = data
    else:
        raise "LinearDecrease/file-unrecognized-param"
    log File(what=what, data=data)


@external
@view
def price(top: uint256, dur: uint256) -> uint256:
    if dur >= self.tau:
        return 0
    return top * ((self.tau - dur) * RAY // self.tau) // RAY


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "LinearDecrease/not-authorized"
