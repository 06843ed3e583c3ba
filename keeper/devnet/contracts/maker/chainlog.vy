# pragma version 0.4.3
"""
@title ChainLog: the names of a Maker-like market's contracts
@license MIT
@notice A FIXTURE for tests on a local chain, written for keeper from the protocol's published formulas. It is not the
    deployed contract. Law: a name has one address, and an unknown one reverts.
"""

event UpdateAddress:
    key: bytes32
    addr: address

wards: public(HashMap[address, uint256])
addresses: HashMap[bytes32, address]
keys: DynArray[bytes32, 256]


@deploy
def __init__():
    self.wards[msg.sender] = 1


@external
def setAddress(key: bytes32, addr: address):
    self._auth()
    if self.addresses[key] == empty(address):
        self.keys.append(key)
    self.addresses[key] = addr
    log UpdateAddress(key=key, addr=addr)


@external
@view
def getAddress(key: bytes32) -> address:
    assert self.addresses[key] != empty(address), "dss-chain-log/invalid-key"
    return self.addresses[key]


@external
@view
def list() -> DynArray[bytes32, 256]:
    return self.keys


@internal
@view
def _auth():
    assert self.wards[msg.sender] == 1, "ChainLog/not-authorized"
