# pragma version 0.4.3
"""
@title Spotter: what a Maker-like market lends on collateral
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: spot is the price over par and over the liquidation ratio, both divisions down; 0 without a price.
"""

interface Vat:
    def file(ilk: bytes32, what: bytes32, data: uint256): nonpayable

interface Pip:
    def peek() -> (bytes32, bool): view

event Poke:
    ilk: bytes32
    val: bytes32
    spot: uint256

struct Ilk:
    pip: address
    mat: uint256

RAY: constant(uint256) = 10**27
SPOT: constant(bytes32) = 0x73706f7400000000000000000000000000000000000000000000000000000000
MAT: constant(bytes32) = 0x6d61740000000000000000000000000000000000000000000000000000000000
PAR: constant(bytes32) = 0x7061720000000000000000000000000000000000000000000000000000000000
PIP: constant(bytes32) = 0x7069700000000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
ilks: public(HashMap[bytes32, Ilk])
vat: public(address)
par: public(uint256)
live: public(uint256)


@deploy
def __init__(vat: address):
    self.wards[msg.sender] = 1
    self.vat = vat
    self.par = RAY
    self.live = 1


@external
def rely(usr: address):
    self._auth()
    self.wards[usr] = 1


@external
def deny(usr: address):
    self._auth()
    self.wards[usr] = 0


@external
def poke(ilk: bytes32):
    price: bytes32 = empty(bytes32)
    has: bool = False
    price, has = staticcall Pip(self.ilks[ilk].pip).peek()
    spot: uint256 = 0
    if has:
        spot = (convert(price, uint256) * 10**9 * RAY // self.par) * RAY // self.ilks[ilk].mat
    extcall Vat(self.vat).file(ilk, SPOT, spot)
    log Poke(ilk=ilk, val=price, spot=spot)


@external
def file(ilk: bytes32, what: bytes32, data: uint256):
    self._auth()
    assert what == MAT, "Spotter/file-unrecognized-param"
    self.ilks[ilk].mat = data
    self._note(method_id("file(bytes32,bytes32,uint256)", output_type=bytes4), ilk, what)


@external
def __default__():
    """
    @notice The other forms of `file`, which Vyper cannot overload.
    """
    self._auth()
    sig: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    first: bytes32 = extract32(slice(msg.data, 4, 32), 0)
    second: bytes32 = extract32(slice(msg.data, 36, 32), 0)
    if sig == method_id("file(bytes32,uint256)", output_type=bytes4) and first == PAR:
        self.par = convert(second, uint256)
    elif sig == method_id("file(bytes32,bytes32,address)", output_type=bytes4) and second == PIP:
        self.ilks[first].pip = convert(convert(extract32(slice(msg.data, 68, 32), 0), uint256), address)
    else:
        raise "Spotter/unknown-function"
    self._note(sig, first, second)


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Spotter/not-authorized"


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
