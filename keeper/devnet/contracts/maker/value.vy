# pragma version 0.4.3
"""
@title Value: a price that somebody sets
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: what was poked is what is peeked, by anyone.
"""

has: bool
price: bytes32


@external
def poke(wut: bytes32):
    self.price = wut
    self.has = True


@external
def void():
    self.has = False


@external
@view
def peek() -> (bytes32, bool):
    return self.price, self.has
