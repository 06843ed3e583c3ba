# pragma version 0.4.3
"""
@title ExponentialDecrease: a price that falls every second
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: every second the price is multiplied by `cut`.
"""

event File:
    what: indexed(bytes32)
    data: uint256

RAY: constant(uint256) = 10**27
CUT: constant(bytes32) = 0x6375740000000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
cut: public(uint256)


@deploy
def __init__():
    self.wards[msg.sender] = 1


@external
def file(what: bytes32, data: uint256):
    self._auth()
    if what == CUT:
        assert data <= RAY, "ExponentialDecrease/cut-gt-RAY"
        self.cut = data
    else:
        raise "ExponentialDecrease/file-unrecognized-param"
    log File(what=what, data=data)


@external
@view
def price(top: uint256, dur: uint256) -> uint256:
    return top * self._rpow(self.cut, dur) // RAY


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "ExponentialDecrease/not-authorized"


@internal
@pure
def _rpow(base: uint256, exponent: uint256) -> uint256:
    """
    @notice A power of a ray by squaring, every product rounded half up.
    """
    if exponent == 0:
        return RAY
    x: uint256 = base
    n: uint256 = exponent
    z: uint256 = RAY
    if n % 2 == 1:
        z = x
    for _: uint256 in range(64):
        n //= 2
        if n == 0:
            break
        x = (x * x + RAY // 2) // RAY
        if n % 2 == 1:
            z = (z * x + RAY // 2) // RAY
    return z
