# pragma version 0.4.3
"""
@title Vat: debts and collateral of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: the same arithmetic, refusals and anonymous notes; without global settlement.
"""

struct Ilk:
    Art: uint256
    rate: uint256
    spot: uint256
    line: uint256
    dust: uint256

struct Urn:
    ink: uint256
    art: uint256

SPOT: constant(bytes32) = 0x73706f7400000000000000000000000000000000000000000000000000000000
LINE: constant(bytes32) = 0x6c696e6500000000000000000000000000000000000000000000000000000000
DUST: constant(bytes32) = 0x6475737400000000000000000000000000000000000000000000000000000000
CEILING: constant(bytes32) = 0x4c696e6500000000000000000000000000000000000000000000000000000000  # Line

wards: public(HashMap[address, uint256])
can: public(HashMap[address, HashMap[address, uint256]])
ilks: public(HashMap[bytes32, Ilk])
urns: public(HashMap[bytes32, HashMap[address, Urn]])
gem: public(HashMap[bytes32, HashMap[address, uint256]])
dai: public(HashMap[address, uint256])
sin: public(HashMap[address, uint256])
debt: public(uint256)
vice: public(uint256)
Line: public(uint256)
live: public(uint256)


@deploy
def __init__():
    self.wards[msg.sender] = 1
    self.live = 1


# --- who may, and what ---------------------------------------------------------------------------------------------


@external
def rely(usr: address):
    self._auth()
    self.wards[usr] = 1
    self._note(method_id("rely(address)", output_type=bytes4), [self._of(usr), 0, 0, 0, 0, 0])


@external
def deny(usr: address):
    self._auth()
    self.wards[usr] = 0
    self._note(method_id("deny(address)", output_type=bytes4), [self._of(usr), 0, 0, 0, 0, 0])


@external
def hope(usr: address):
    self.can[msg.sender][usr] = 1
    self._note(method_id("hope(address)", output_type=bytes4), [self._of(usr), 0, 0, 0, 0, 0])


@external
def nope(usr: address):
    self.can[msg.sender][usr] = 0
    self._note(method_id("nope(address)", output_type=bytes4), [self._of(usr), 0, 0, 0, 0, 0])


@external
def file(ilk: bytes32, what: bytes32, data: uint256):
    self._auth()
    assert self.live == 1, "Vat/not-live"
    if what == SPOT:
        self.ilks[ilk].spot = data
    elif what == LINE:
        self.ilks[ilk].line = data
    elif what == DUST:
        self.ilks[ilk].dust = data
    else:
        raise "Vat/file-unrecognized-param"
    words: uint256[6] = [convert(ilk, uint256), convert(what, uint256), data, 0, 0, 0]
    self._note(method_id("file(bytes32,bytes32,uint256)", output_type=bytes4), words)


@external
def __default__():
    """
    @notice What Vyper has no words for: `init(bytes32)` and the shorter `file`.
    """
    self._auth()
    sig: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    first: bytes32 = extract32(slice(msg.data, 4, 32), 0)
    if sig == method_id("init(bytes32)", output_type=bytes4):
        assert self.ilks[first].rate == 0, "Vat/ilk-already-init"
        self.ilks[first].rate = 10**27
        self._note(sig, [convert(first, uint256), 0, 0, 0, 0, 0])
    elif sig == method_id("file(bytes32,uint256)", output_type=bytes4):
        assert first == CEILING, "Vat/file-unrecognized-param"
        self.Line = convert(extract32(slice(msg.data, 36, 32), 0), uint256)
        self._note(sig, [convert(first, uint256), self.Line, 0, 0, 0, 0])
    else:
        raise "Vat/unknown-function"


# --- balances ------------------------------------------------------------------------------------------------------


@external
def slip(ilk: bytes32, usr: address, wad: int256):
    self._auth()
    self.gem[ilk][usr] = self._plus(self.gem[ilk][usr], wad)
    words: uint256[6] = [convert(ilk, uint256), self._of(usr), self._raw(wad), 0, 0, 0]
    self._note(method_id("slip(bytes32,address,int256)", output_type=bytes4), words)


@external
def flux(ilk: bytes32, src: address, dst: address, wad: uint256):
    assert self._wish(src, msg.sender), "Vat/not-allowed"
    self.gem[ilk][src] -= wad
    self.gem[ilk][dst] += wad
    words: uint256[6] = [convert(ilk, uint256), self._of(src), self._of(dst), wad, 0, 0]
    self._note(method_id("flux(bytes32,address,address,uint256)", output_type=bytes4), words)


@external
def move(src: address, dst: address, rad: uint256):
    assert self._wish(src, msg.sender), "Vat/not-allowed"
    self.dai[src] -= rad
    self.dai[dst] += rad
    words: uint256[6] = [self._of(src), self._of(dst), rad, 0, 0, 0]
    self._note(method_id("move(address,address,uint256)", output_type=bytes4), words)


# --- urns ----------------------------------------------------------------------------------------------------------


@external
def frob(i: bytes32, u: address, v: address, w: address, dink: int256, dart: int256):
    assert self.live == 1, "Vat/not-live"
    urn: Urn = self.urns[i][u]
    ilk: Ilk = self.ilks[i]
    assert ilk.rate != 0, "Vat/ilk-not-init"
    urn.ink = self._plus(urn.ink, dink)
    urn.art = self._plus(urn.art, dart)
    ilk.Art = self._plus(ilk.Art, dart)
    dtab: int256 = convert(ilk.rate, int256) * dart
    tab: uint256 = ilk.rate * urn.art
    self.debt = self._plus(self.debt, dtab)
    assert dart <= 0 or (ilk.Art * ilk.rate <= ilk.line and self.debt <= self.Line), "Vat/ceiling-exceeded"
    safer: bool = dart <= 0 and dink >= 0
    assert safer or tab <= urn.ink * ilk.spot, "Vat/not-safe"
    assert safer or self._wish(u, msg.sender), "Vat/not-allowed-u"
    assert dink <= 0 or self._wish(v, msg.sender), "Vat/not-allowed-v"
    assert dart >= 0 or self._wish(w, msg.sender), "Vat/not-allowed-w"
    assert urn.art == 0 or tab >= ilk.dust, "Vat/dust"
    self.gem[i][v] = self._plus(self.gem[i][v], -dink)
    self.dai[w] = self._plus(self.dai[w], dtab)
    self.urns[i][u] = urn
    self.ilks[i] = ilk
    words: uint256[6] = [
        convert(i, uint256), self._of(u), self._of(v), self._of(w), self._raw(dink), self._raw(dart)
    ]
    self._note(method_id("frob(bytes32,address,address,address,int256,int256)", output_type=bytes4), words)


@external
def fork(ilk: bytes32, src: address, dst: address, dink: int256, dart: int256):
    self.urns[ilk][src].ink = self._plus(self.urns[ilk][src].ink, -dink)
    self.urns[ilk][src].art = self._plus(self.urns[ilk][src].art, -dart)
    self.urns[ilk][dst].ink = self._plus(self.urns[ilk][dst].ink, dink)
    self.urns[ilk][dst].art = self._plus(self.urns[ilk][dst].art, dart)
    u: Urn = self.urns[ilk][src]
    v: Urn = self.urns[ilk][dst]
    i: Ilk = self.ilks[ilk]
    assert self._wish(src, msg.sender) and self._wish(dst, msg.sender), "Vat/not-allowed"
    assert u.art * i.rate <= u.ink * i.spot, "Vat/not-safe-src"
    assert v.art * i.rate <= v.ink * i.spot, "Vat/not-safe-dst"
    assert u.art * i.rate >= i.dust or u.art == 0, "Vat/dust-src"
    assert v.art * i.rate >= i.dust or v.art == 0, "Vat/dust-dst"
    words: uint256[6] = [convert(ilk, uint256), self._of(src), self._of(dst), self._raw(dink), self._raw(dart), 0]
    self._note(method_id("fork(bytes32,address,address,int256,int256)", output_type=bytes4), words)


@external
def grab(i: bytes32, u: address, v: address, w: address, dink: int256, dart: int256):
    self._auth()
    self.urns[i][u].ink = self._plus(self.urns[i][u].ink, dink)
    self.urns[i][u].art = self._plus(self.urns[i][u].art, dart)
    self.ilks[i].Art = self._plus(self.ilks[i].Art, dart)
    dtab: int256 = convert(self.ilks[i].rate, int256) * dart
    self.gem[i][v] = self._plus(self.gem[i][v], -dink)
    self.sin[w] = self._plus(self.sin[w], -dtab)
    self.vice = self._plus(self.vice, -dtab)
    words: uint256[6] = [
        convert(i, uint256), self._of(u), self._of(v), self._of(w), self._raw(dink), self._raw(dart)
    ]
    self._note(method_id("grab(bytes32,address,address,address,int256,int256)", output_type=bytes4), words)


# --- debt of the system --------------------------------------------------------------------------------------------


@external
def heal(rad: uint256):
    self.sin[msg.sender] -= rad
    self.dai[msg.sender] -= rad
    self.vice -= rad
    self.debt -= rad
    self._note(method_id("heal(uint256)", output_type=bytes4), [rad, 0, 0, 0, 0, 0])


@external
def suck(u: address, v: address, rad: uint256):
    self._auth()
    self.sin[u] += rad
    self.dai[v] += rad
    self.vice += rad
    self.debt += rad
    words: uint256[6] = [self._of(u), self._of(v), rad, 0, 0, 0]
    self._note(method_id("suck(address,address,uint256)", output_type=bytes4), words)


@external
def fold(i: bytes32, u: address, rate: int256):
    self._auth()
    assert self.live == 1, "Vat/not-live"
    self.ilks[i].rate = self._plus(self.ilks[i].rate, rate)
    rad: int256 = convert(self.ilks[i].Art, int256) * rate
    self.dai[u] = self._plus(self.dai[u], rad)
    self.debt = self._plus(self.debt, rad)
    words: uint256[6] = [convert(i, uint256), self._of(u), self._raw(rate), 0, 0, 0]
    self._note(method_id("fold(bytes32,address,int256)", output_type=bytes4), words)


# --- small things --------------------------------------------------------------------------------------------------


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Vat/not-authorized"


@internal
@view
def _wish(bit: address, usr: address) -> bool:
    return bit == usr or self.can[bit][usr] == 1


@internal
@pure
def _plus(x: uint256, y: int256) -> uint256:
    if y >= 0:
        return x + convert(y, uint256)
    return x - convert(-y, uint256)


@internal
@pure
def _of(usr: address) -> uint256:
    return convert(usr, uint256)


@internal
@pure
def _raw(number: int256) -> uint256:
    """
    @notice The same 256 bits.
    """
    return convert(convert(number, bytes32), uint256)


@internal
def _note(sig: bytes4, words: uint256[6]):
    """
    @notice An anonymous log: the selector and the first three arguments as topics, the calldata as data.
    """
    data: Bytes[288] = concat(
        convert(32, bytes32), convert(224, bytes32), sig, abi_encode(words), b"\x00\x00\x00\x00",
        convert(0, bytes24),
    )
    raw_log(
        [
            convert(sig, bytes32),
            convert(words[0], bytes32),
            convert(words[1], bytes32),
            convert(words[2], bytes32),
        ],
        data,
    )
