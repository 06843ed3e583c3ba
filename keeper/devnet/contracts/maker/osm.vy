# pragma version 0.4.3
"""
@title OSM: a price that is an hour late
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: `cur` and `nxt` are in storage slots 3 and 4, the value low and whether it is one high; who peeks is allow-listed.
"""

interface Pip:
    def peek() -> (bytes32, bool): view

event LogValue:
    value: bytes32

U128: constant(uint256) = 2**128 - 1
HAS: constant(uint256) = 1 << 128

wards: public(HashMap[address, uint256])
stopped: public(uint256)
src: public(address)
cur: uint256
nxt: uint256
bud: public(HashMap[address, uint256])
hop: public(uint256)
zzz: public(uint256)


@deploy
def __init__(src: address):
    self.wards[msg.sender] = 1
    self.src = src
    self.hop = 3600


@external
def rely(usr: address):
    self._auth()
    self.wards[usr] = 1


@external
def deny(usr: address):
    self._auth()
    self.wards[usr] = 0


@external
def kiss(usr: address):
    self._auth()
    self.bud[usr] = 1
    self._note(method_id("kiss(address)", output_type=bytes4), convert(convert(usr, uint256), bytes32), empty(bytes32))


@external
def stop():
    self._auth()
    self.stopped = 1
    self._note(method_id("stop()", output_type=bytes4), empty(bytes32), empty(bytes32))


@external
def start():
    self._auth()
    self.stopped = 0
    self._note(method_id("start()", output_type=bytes4), empty(bytes32), empty(bytes32))


@external
def void():
    self._auth()
    self.cur = 0
    self.nxt = 0
    self.stopped = 1
    self._note(method_id("void()", output_type=bytes4), empty(bytes32), empty(bytes32))


@external
@view
def passed() -> bool:
    """
    @notice Stands for `pass()`, a reserved word.
    """
    return block.timestamp >= self.zzz + self.hop


@external
def poke():
    assert self.stopped == 0, "OSM/is-stopped"
    assert block.timestamp >= self.zzz + self.hop, "OSM/not-passed"
    price: bytes32 = empty(bytes32)
    has: bool = False
    price, has = staticcall Pip(self.src).peek()
    if has:
        self.cur = self.nxt
        self.nxt = (convert(price, uint256) & U128) | HAS
        self.zzz = block.timestamp - block.timestamp % self.hop
        log LogValue(value=convert(self.cur & U128, bytes32))
    self._note(method_id("poke()", output_type=bytes4), empty(bytes32), empty(bytes32))


@external
@view
def peek() -> (bytes32, bool):
    assert self.bud[msg.sender] == 1, "OSM/contract-not-whitelisted"
    return convert(self.cur & U128, bytes32), self.cur >> 128 == 1


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "OSM/not-authorized"


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
