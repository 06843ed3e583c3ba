# pragma version 0.4.3
"""
@title Jug: stability fees of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: the rate grows by rpow of duty and base, half up, as of the block's own time.
"""

interface Vat:
    def ilks(ilk: bytes32) -> (uint256, uint256, uint256, uint256, uint256): view
    def fold(ilk: bytes32, u: address, rate: int256): nonpayable

struct Ilk:
    duty: uint256
    rho: uint256

RAY: constant(uint256) = 10**27
DUTY: constant(bytes32) = 0x6475747900000000000000000000000000000000000000000000000000000000
BASE: constant(bytes32) = 0x6261736500000000000000000000000000000000000000000000000000000000
VOW: constant(bytes32) = 0x766f770000000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
ilks: public(HashMap[bytes32, Ilk])
vat: public(address)
vow: public(address)
base: public(uint256)


@deploy
def __init__(vat: address):
    self.wards[msg.sender] = 1
    self.vat = vat


@external
def rely(usr: address):
    self._auth()
    self.wards[usr] = 1


@external
def deny(usr: address):
    self._auth()
    self.wards[usr] = 0


@external
def drip(ilk: bytes32) -> uint256:
    art: uint256 = 0
    prev: uint256 = 0
    spot: uint256 = 0
    line: uint256 = 0
    dust: uint256 = 0
    art, prev, spot, line, dust = staticcall Vat(self.vat).ilks(ilk)
    elapsed: uint256 = block.timestamp - self.ilks[ilk].rho
    rate: uint256 = self._rpow(self.base + self.ilks[ilk].duty, elapsed) * prev // RAY
    extcall Vat(self.vat).fold(ilk, self.vow, convert(rate, int256) - convert(prev, int256))
    self.ilks[ilk].rho = block.timestamp
    self._note(method_id("drip(bytes32)", output_type=bytes4), ilk, empty(bytes32))
    return rate


@external
def file(ilk: bytes32, what: bytes32, data: uint256):
    self._auth()
    assert block.timestamp == self.ilks[ilk].rho, "Jug/rho-not-updated"
    assert what == DUTY, "Jug/file-unrecognized-param"
    self.ilks[ilk].duty = data
    self._note(method_id("file(bytes32,bytes32,uint256)", output_type=bytes4), ilk, what)


@external
def __default__():
    """
    @notice What Vyper has no words for: `init(bytes32)` and the shorter forms of `file`.
    """
    self._auth()
    sig: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    first: bytes32 = extract32(slice(msg.data, 4, 32), 0)
    if sig == method_id("init(bytes32)", output_type=bytes4):
        assert self.ilks[first].duty == 0, "Jug/ilk-already-init"
        self.ilks[first] = Ilk(duty=RAY, rho=block.timestamp)
        self._note(sig, first, empty(bytes32))
        return
    second: bytes32 = extract32(slice(msg.data, 36, 32), 0)
    if sig == method_id("file(bytes32,uint256)", output_type=bytes4) and first == BASE:
        self.base = convert(second, uint256)
    elif sig == method_id("file(bytes32,address)", output_type=bytes4) and first == VOW:
        self.vow = convert(convert(second, uint256), address)
    else:
        raise "Jug/unknown-function"
    self._note(sig, first, second)


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Jug/not-authorized"


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


@internal
def _note(sig: bytes4, first: bytes32, second: bytes32):
    """
    @notice An anonymous log: selector, caller and two arguments as topics, the calldata as data.
    """
    data: Bytes[288] = concat(
        convert(32, bytes32), convert(224, bytes32), sig, first, second, empty(bytes32), empty(bytes32), empty(bytes32),
        empty(bytes32), convert(0, bytes28),
    )
    raw_log([convert(sig, bytes32), convert(convert(msg.sender, uint256), bytes32), first, second], data)
