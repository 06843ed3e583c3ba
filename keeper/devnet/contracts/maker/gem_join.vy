# pragma version 0.4.3
"""
@title GemJoin: collateral in and out of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: inside it has 18 decimals, whatever the token has.
"""

interface Vat:
    def slip(ilk: bytes32, usr: address, wad: int256): nonpayable

interface Token:
    def decimals() -> uint8: view
    def transfer(to: address, amount: uint256) -> bool: nonpayable
    def transferFrom(owner: address, to: address, amount: uint256) -> bool: nonpayable

vat: public(address)
ilk: public(bytes32)
gem: public(address)
dec: public(uint256)
live: public(uint256)


@deploy
def __init__(vat: address, ilk: bytes32, gem: address):
    self.vat = vat
    self.ilk = ilk
    self.gem = gem
    self.dec = convert(staticcall Token(gem).decimals(), uint256)
    self.live = 1


@external
def join(usr: address, amount: uint256):
    assert self.live == 1, "GemJoin/not-live"
    extcall Vat(self.vat).slip(self.ilk, usr, convert(amount * 10 ** (18 - self.dec), int256))
    assert extcall Token(self.gem).transferFrom(msg.sender, self, amount), "GemJoin/failed-transfer"


@external
def exit(usr: address, amount: uint256):
    extcall Vat(self.vat).slip(self.ilk, msg.sender, -convert(amount * 10 ** (18 - self.dec), int256))
    assert extcall Token(self.gem).transfer(usr, amount), "GemJoin/failed-transfer"
