# pragma version 0.4.3
"""
@title Clipper: Dutch auctions of one collateral of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: the same prices, slices, rewards and refusals as the formulas say, in their order.
"""

interface Vat:
    def move(src: address, dst: address, rad: uint256): nonpayable
    def flux(ilk: bytes32, src: address, dst: address, wad: uint256): nonpayable
    def suck(u: address, v: address, rad: uint256): nonpayable
    def ilks(ilk: bytes32) -> (uint256, uint256, uint256, uint256, uint256): view

interface Pip:
    def peek() -> (bytes32, bool): view

interface Spotter:
    def par() -> uint256: view
    def ilks(ilk: bytes32) -> (address, uint256): view

interface Dog:
    def chop(ilk: bytes32) -> uint256: view
    def digs(ilk: bytes32, rad: uint256): nonpayable

interface Callee:
    def clipperCall(sender: address, owe: uint256, slice: uint256, data: Bytes[1024]): nonpayable

interface Abacus:
    def price(top: uint256, dur: uint256) -> uint256: view

event File:
    what: indexed(bytes32)
    data: uint256

event Kick:
    id: indexed(uint256)
    top: uint256
    tab: uint256
    lot: uint256
    usr: indexed(address)
    kpr: indexed(address)
    coin: uint256

event Take:
    id: indexed(uint256)
    max: uint256
    price: uint256
    owe: uint256
    tab: uint256
    lot: uint256
    usr: indexed(address)

event Redo:
    id: indexed(uint256)
    top: uint256
    tab: uint256
    lot: uint256
    usr: indexed(address)
    kpr: indexed(address)
    coin: uint256

event Yank:
    id: uint256

struct Sale:
    pos: uint256
    tab: uint256
    lot: uint256
    usr: address
    tic: uint96
    top: uint256

WAD: constant(uint256) = 10**18
RAY: constant(uint256) = 10**27
BUF: constant(bytes32) = 0x6275660000000000000000000000000000000000000000000000000000000000
TAIL: constant(bytes32) = 0x7461696c00000000000000000000000000000000000000000000000000000000
CUSP: constant(bytes32) = 0x6375737000000000000000000000000000000000000000000000000000000000
CHIP: constant(bytes32) = 0x6368697000000000000000000000000000000000000000000000000000000000
TIP: constant(bytes32) = 0x7469700000000000000000000000000000000000000000000000000000000000
STOPPED: constant(bytes32) = 0x73746f7070656400000000000000000000000000000000000000000000000000
VOW: constant(bytes32) = 0x766f770000000000000000000000000000000000000000000000000000000000
CALC: constant(bytes32) = 0x63616c6300000000000000000000000000000000000000000000000000000000

wards: public(HashMap[address, uint256])
ilk: public(immutable(bytes32))
vat: public(immutable(address))
dog: public(address)
vow: public(address)
spotter: public(address)
calc: public(address)
buf: public(uint256)
tail: public(uint256)
cusp: public(uint256)
chip: public(uint256)
tip: public(uint256)
chost: public(uint256)
kicks: public(uint256)
active: DynArray[uint256, 1024]
sales: public(HashMap[uint256, Sale])
stopped: public(uint256)


@deploy
def __init__(vat_: address, spotter: address, dog: address, ilk_: bytes32):
    vat = vat_
    ilk = ilk_
    self.spotter = spotter
    self.dog = dog
    self.buf = RAY
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
@nonreentrant
def file(what: bytes32, data: uint256):
    self._auth()
    if what == BUF:
        self.buf = data
    elif what == TAIL:
        self.tail = data
    elif what == CUSP:
        self.cusp = data
    elif what == CHIP:
        self.chip = data & (2**64 - 1)
    elif what == TIP:
        self.tip = data & (2**192 - 1)
    elif what == STOPPED:
        self.stopped = data
    else:
        raise "Clipper/file-unrecognized-param"
    log File(what=what, data=data)


@external
def __default__():
    """
    @notice The other form of `file`, which Vyper cannot overload.
    """
    self._auth()
    sig: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    what: bytes32 = extract32(slice(msg.data, 4, 32), 0)
    data: bytes32 = extract32(slice(msg.data, 36, 32), 0)
    assert sig == method_id("file(bytes32,address)", output_type=bytes4), "Clipper/unknown-function"
    if what == VOW:
        self.vow = convert(convert(data, uint256), address)
    elif what == CALC:
        self.calc = convert(convert(data, uint256), address)
    else:
        raise "Clipper/file-unrecognized-param"
    raw_log([keccak256("File(bytes32,address)"), what], data)


# --- auctions ------------------------------------------------------------------------------------------------------


@external
@nonreentrant
def kick(tab: uint256, lot: uint256, usr: address, kpr: address) -> uint256:
    self._auth()
    assert self.stopped < 1, "Clipper/stopped-incorrect"
    assert tab > 0, "Clipper/zero-tab"
    assert lot > 0, "Clipper/zero-lot"
    assert usr != empty(address), "Clipper/zero-usr"
    self.kicks += 1
    id: uint256 = self.kicks
    self.active.append(id)
    top: uint256 = self._feed_price() * self.buf // RAY
    assert top > 0, "Clipper/zero-top-price"
    self.sales[id] = Sale(
        pos=len(self.active) - 1, tab=tab, lot=lot, usr=usr, tic=convert(block.timestamp, uint96), top=top
    )
    coin: uint256 = 0
    if self.tip > 0 or self.chip > 0:
        coin = self.tip + tab * self.chip // WAD
        extcall Vat(vat).suck(self.vow, kpr, coin)
    log Kick(id=id, top=top, tab=tab, lot=lot, usr=usr, kpr=kpr, coin=coin)
    return id


@external
@nonreentrant
def redo(id: uint256, kpr: address):
    assert self.stopped < 2, "Clipper/stopped-incorrect"
    sale: Sale = self.sales[id]
    assert sale.usr != empty(address), "Clipper/not-running-auction"
    done: bool = False
    price: uint256 = 0
    done, price = self._status(sale)
    assert done, "Clipper/cannot-reset"
    feed: uint256 = self._feed_price()
    top: uint256 = feed * self.buf // RAY
    assert top > 0, "Clipper/zero-top-price"
    self.sales[id].tic = convert(block.timestamp, uint96)
    self.sales[id].top = top
    coin: uint256 = 0
    if (self.tip > 0 or self.chip > 0) and sale.tab >= self.chost and sale.lot * feed >= self.chost:
        coin = self.tip + sale.tab * self.chip // WAD
        extcall Vat(vat).suck(self.vow, kpr, coin)
    log Redo(id=id, top=top, tab=sale.tab, lot=sale.lot, usr=sale.usr, kpr=kpr, coin=coin)


@external
@nonreentrant
def take(id: uint256, amt: uint256, most: uint256, who: address, data: Bytes[1024]):
    assert self.stopped < 3, "Clipper/stopped-incorrect"
    sale: Sale = self.sales[id]
    assert sale.usr != empty(address), "Clipper/not-running-auction"
    done: bool = False
    price: uint256 = 0
    done, price = self._status(sale)
    assert not done, "Clipper/needs-reset"
    assert most >= price, "Clipper/too-expensive"
    bought: uint256 = min(sale.lot, amt)
    owe: uint256 = bought * price
    if owe > sale.tab:
        owe = sale.tab
        bought = owe // price
    elif owe < sale.tab and bought < sale.lot and sale.tab - owe < self.chost:
        assert sale.tab > self.chost, "Clipper/no-partial-purchase"
        owe = sale.tab - self.chost
        bought = owe // price
    tab: uint256 = sale.tab - owe
    lot: uint256 = sale.lot - bought
    extcall Vat(vat).flux(ilk, self, who, bought)
    if len(data) > 0 and who != vat and who != self.dog:
        extcall Callee(who).clipperCall(msg.sender, owe, bought, data)
    extcall Vat(vat).move(msg.sender, self.vow, owe)
    extcall Dog(self.dog).digs(ilk, sale.tab if lot == 0 else owe)
    if lot == 0:
        self._remove(id)
    elif tab == 0:
        extcall Vat(vat).flux(ilk, self, sale.usr, lot)
        self._remove(id)
    else:
        self.sales[id].tab = tab
        self.sales[id].lot = lot
    log Take(id=id, max=most, price=price, owe=owe, tab=tab, lot=lot, usr=sale.usr)


@external
@nonreentrant
def yank(id: uint256):
    self._auth()
    sale: Sale = self.sales[id]
    assert sale.usr != empty(address), "Clipper/not-running-auction"
    extcall Dog(self.dog).digs(ilk, sale.tab)
    extcall Vat(vat).flux(ilk, self, msg.sender, sale.lot)
    self._remove(id)
    log Yank(id=id)


@external
def upchost():
    art: uint256 = 0
    rate: uint256 = 0
    spot: uint256 = 0
    line: uint256 = 0
    dust: uint256 = 0
    art, rate, spot, line, dust = staticcall Vat(vat).ilks(ilk)
    self.chost = dust * staticcall Dog(self.dog).chop(ilk) // WAD


# --- views ---------------------------------------------------------------------------------------------------------


@external
@view
def count() -> uint256:
    return len(self.active)


@external
@view
def list() -> DynArray[uint256, 1024]:
    return self.active


@external
@view
def getStatus(id: uint256) -> (bool, uint256, uint256, uint256):
    sale: Sale = self.sales[id]
    done: bool = False
    price: uint256 = 0
    done, price = self._status(sale)
    return sale.usr != empty(address) and done, price, sale.lot, sale.tab


# --- small things --------------------------------------------------------------------------------------------------


@internal
@view
def _feed_price() -> uint256:
    pip: address = empty(address)
    mat: uint256 = 0
    pip, mat = staticcall Spotter(self.spotter).ilks(ilk)
    price: bytes32 = empty(bytes32)
    has: bool = False
    price, has = staticcall Pip(pip).peek()
    assert has, "Clipper/invalid-price"
    return convert(price, uint256) * 10**9 * RAY // staticcall Spotter(self.spotter).par()


@internal
@view
def _status(sale: Sale) -> (bool, uint256):
    elapsed: uint256 = block.timestamp - convert(sale.tic, uint256)
    price: uint256 = staticcall Abacus(self.calc).price(sale.top, elapsed)
    return elapsed > self.tail or price * RAY // sale.top < self.cusp, price


@internal
def _remove(id: uint256):
    last: uint256 = self.active[len(self.active) - 1]
    if id != last:
        place: uint256 = self.sales[id].pos
        self.active[place] = last
        self.sales[last].pos = place
    self.active.pop()
    self.sales[id] = empty(Sale)


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Clipper/not-authorized"
