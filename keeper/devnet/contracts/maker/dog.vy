# pragma version 0.4.3
"""
@title Dog: starts auctions of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: the same room, dust, rounding and refusals as the formulas say, in their order.
"""

interface Vat:
    def ilks(ilk: bytes32) -> (uint256, uint256, uint256, uint256, uint256): view
    def urns(ilk: bytes32, urn: address) -> (uint256, uint256): view
    def grab(i: bytes32, u: address, v: address, w: address, dink: int256, dart: int256): nonpayable

interface Vow:
    def fess(tab: uint256): nonpayable

interface Clipper:
    def ilk() -> bytes32: view
    def kick(tab: uint256, lot: uint256, usr: address, kpr: address) -> uint256: nonpayable

event File:
    ilk: indexed(bytes32)
    what: indexed(bytes32)
    data: uint256

event Bark:
    ilk: indexed(bytes32)
    urn: indexed(address)
    ink: uint256
    art: uint256
    due: uint256
    clip: address
    id: indexed(uint256)

event Digs:
    ilk: indexed(bytes32)
    rad: uint256

event Cage:
    pass

struct Ilk:
    clip: address
    chop: uint256
    hole: uint256
    dirt: uint256

WAD: constant(uint256) = 10**18
CHOP: constant(bytes32) = 0x63686f7000000000000000000000000000000000000000000000000000000000
HOLE: constant(bytes32) = 0x686f6c6500000000000000000000000000000000000000000000000000000000
ALL: constant(bytes32) = 0x486f6c6500000000000000000000000000000000000000000000000000000000  # Hole
VOW: constant(bytes32) = 0x766f770000000000000000000000000000000000000000000000000000000000
CLIP: constant(bytes32) = 0x636c697000000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
vat: public(address)
ilks: public(HashMap[bytes32, Ilk])
vow: public(address)
live: public(uint256)
Hole: public(uint256)
Dirt: public(uint256)


@deploy
def __init__(vat: address):
    self.vat = vat
    self.live = 1
    self.wards[msg.sender] = 1


@external
def rely(usr: address):
    self._auth()
    self.wards[usr] = 1


@external
def deny(usr: address):
    self._auth()
    self.wards[usr] = 0


@external
def cage():
    self._auth()
    self.live = 0
    log Cage()


@external
def file(ilk: bytes32, what: bytes32, data: uint256):
    self._auth()
    if what == CHOP:
        assert data >= WAD, "Dog/file-chop-lt-WAD"
        self.ilks[ilk].chop = data
    elif what == HOLE:
        self.ilks[ilk].hole = data
    else:
        raise "Dog/file-unrecognized-param"
    log File(ilk=ilk, what=what, data=data)


@external
def __default__():
    """
    @notice The other forms of `file`, which Vyper cannot overload.
    """
    self._auth()
    sig: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    first: bytes32 = extract32(slice(msg.data, 4, 32), 0)
    second: bytes32 = extract32(slice(msg.data, 36, 32), 0)
    if sig == method_id("file(bytes32,uint256)", output_type=bytes4) and first == ALL:
        self.Hole = convert(second, uint256)
        raw_log([keccak256("File(bytes32,uint256)"), first], second)
    elif sig == method_id("file(bytes32,address)", output_type=bytes4) and first == VOW:
        self.vow = convert(convert(second, uint256), address)
        raw_log([keccak256("File(bytes32,address)"), first], second)
    elif sig == method_id("file(bytes32,bytes32,address)", output_type=bytes4) and second == CLIP:
        third: bytes32 = extract32(slice(msg.data, 68, 32), 0)
        clip: address = convert(convert(third, uint256), address)
        assert staticcall Clipper(clip).ilk() == first, "Dog/file-ilk-neq-clip.ilk"
        self.ilks[first].clip = clip
        raw_log([keccak256("File(bytes32,bytes32,address)"), first, second], third)
    else:
        raise "Dog/unknown-function"


@external
@view
def chop(ilk: bytes32) -> uint256:
    return self.ilks[ilk].chop


@external
def bark(ilk: bytes32, urn: address, kpr: address) -> uint256:
    assert self.live == 1, "Dog/not-live"
    ink: uint256 = 0
    art: uint256 = 0
    ink, art = staticcall Vat(self.vat).urns(ilk, urn)
    milk: Ilk = self.ilks[ilk]
    total: uint256 = 0
    rate: uint256 = 0
    spot: uint256 = 0
    line: uint256 = 0
    dust: uint256 = 0
    total, rate, spot, line, dust = staticcall Vat(self.vat).ilks(ilk)
    assert spot > 0 and ink * spot < art * rate, "Dog/not-unsafe"
    assert self.Hole > self.Dirt and milk.hole > milk.dirt, "Dog/liquidation-limit-hit"
    room: uint256 = min(self.Hole - self.Dirt, milk.hole - milk.dirt)
    dart: uint256 = min(art, room * WAD // rate // milk.chop)
    if art > dart:
        if (art - dart) * rate < dust:
            dart = art
        else:
            assert dart * rate >= dust, "Dog/dusty-auction-from-partial-liquidation"
    dink: uint256 = ink * dart // art
    assert dink > 0, "Dog/null-auction"
    extcall Vat(self.vat).grab(ilk, urn, milk.clip, self.vow, -convert(dink, int256), -convert(dart, int256))
    due: uint256 = dart * rate
    extcall Vow(self.vow).fess(due)
    tab: uint256 = due * milk.chop // WAD
    self.Dirt += tab
    self.ilks[ilk].dirt = milk.dirt + tab
    id: uint256 = extcall Clipper(milk.clip).kick(tab, dink, urn, kpr)
    log Bark(ilk=ilk, urn=urn, ink=dink, art=dart, due=due, clip=milk.clip, id=id)
    return id


@external
def digs(ilk: bytes32, rad: uint256):
    self._auth()
    self.Dirt -= rad
    self.ilks[ilk].dirt -= rad
    log Digs(ilk=ilk, rad=rad)


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Dog/not-authorized"
