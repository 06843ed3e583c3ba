# pragma version 0.4.3
"""
@title DaiJoin: dai in and out of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: inside it has 45 decimals; here dai that came in is kept, and new dai is minted.
"""

interface Vat:
    def move(src: address, dst: address, rad: uint256): nonpayable

interface Token:
    def mint(to: address, amount: uint256) -> bool: nonpayable
    def transferFrom(owner: address, to: address, amount: uint256) -> bool: nonpayable

RAY: constant(uint256) = 10**27

vat: public(address)
dai: public(address)
live: public(uint256)


@deploy
def __init__(vat: address, dai: address):
    self.vat = vat
    self.dai = dai
    self.live = 1


@external
def join(usr: address, wad: uint256):
    extcall Vat(self.vat).move(self, usr, RAY * wad)
    assert extcall Token(self.dai).transferFrom(msg.sender, self, wad), "DaiJoin/failed-transfer"


@external
def exit(usr: address, wad: uint256):
    assert self.live == 1, "DaiJoin/not-live"
    extcall Vat(self.vat).move(msg.sender, self, RAY * wad)
    extcall Token(self.dai).mint(usr, wad)
