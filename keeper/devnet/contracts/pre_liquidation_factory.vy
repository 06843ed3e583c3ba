# pragma version 0.4.3
"""
@title What makes pre-liquidation contracts for Morpho Blue: a fixture
@notice Law: the event and the views of Morpho's PreLiquidationFactory; what it makes are proxies of one template.
"""

struct Terms:
    lltv: uint256
    close_factor_1: uint256
    close_factor_2: uint256
    incentive_1: uint256
    incentive_2: uint256
    oracle: address

interface PreLiquidation:
    def begin(morpho: address, id: bytes32, terms: Terms): nonpayable

event CreatePreLiquidation:
    preLiquidation: indexed(address)
    id: bytes32
    preLiquidationParams: Terms

MORPHO: public(immutable(address))
TEMPLATE: immutable(address)
isPreLiquidation: public(HashMap[address, bool])


@deploy
def __init__(morpho: address, template: address):
    MORPHO = morpho
    TEMPLATE = template


@external
def createPreLiquidation(id: bytes32, terms: Terms) -> address:
    salt: bytes32 = keccak256(abi_encode(id, terms))
    made: address = create_minimal_proxy_to(TEMPLATE, salt=salt)
    extcall PreLiquidation(made).begin(MORPHO, id, terms)
    log CreatePreLiquidation(preLiquidation=made, id=id, preLiquidationParams=terms)
    self.isPreLiquidation[made] = True
    return made
