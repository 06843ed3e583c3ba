# pragma version 0.4.3
"""
@title Vow: surplus and bad debt of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: debt of an auction is queued when it starts and settled out of surplus; without surplus and debt auctions.
"""

interface Vat:
    def dai(usr: address) -> uint256: view
    def sin(usr: address) -> uint256: view
    def heal(rad: uint256): nonpayable

wards: public(HashMap[address, uint256])
vat: public(address)
sin: public(HashMap[uint256, uint256])
Sin: public(uint256)
Ash: public(uint256)
wait: public(uint256)


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
def fess(tab: uint256):
    self._auth()
    self.sin[block.timestamp] += tab
    self.Sin += tab


@external
def flog(era: uint256):
    assert era + self.wait <= block.timestamp, "Vow/wait-not-finished"
    self.Sin -= self.sin[era]
    self.sin[era] = 0


@external
def heal(rad: uint256):
    assert rad <= staticcall Vat(self.vat).dai(self), "Vow/insufficient-surplus"
    assert rad <= staticcall Vat(self.vat).sin(self) - self.Sin - self.Ash, "Vow/insufficient-debt"
    extcall Vat(self.vat).heal(rad)


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "Vow/not-authorized"
