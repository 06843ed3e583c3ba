# pragma version 0.4.3
"""
@title IlkRegistry: the collaterals of a Maker-like market
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: each has the join of its token.
"""

interface Join:
    def ilk() -> bytes32: view
    def gem() -> address: view
    def dec() -> uint256: view

event AddIlk:
    ilk: bytes32

wards: public(HashMap[address, uint256])
ilks: DynArray[bytes32, 64]
join: public(HashMap[bytes32, address])


@deploy
def __init__():
    self.wards[msg.sender] = 1


@external
def add(join: address):
    self._auth()
    ilk: bytes32 = staticcall Join(join).ilk()
    assert self.join[ilk] == empty(address), "IlkRegistry/ilk-already-exists"
    self.ilks.append(ilk)
    self.join[ilk] = join
    log AddIlk(ilk=ilk)


@external
@view
def list() -> DynArray[bytes32, 64]:
    return self.ilks


@external
@view
def gem(ilk: bytes32) -> address:
    return staticcall Join(self.join[ilk]).gem()


@external
@view
def dec(ilk: bytes32) -> uint256:
    return staticcall Join(self.join[ilk]).dec()


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "IlkRegistry/not-authorized"
