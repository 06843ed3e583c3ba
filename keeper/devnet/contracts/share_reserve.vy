# pragma version 0.4.3
"""
@title A sink for a protocol's income
@notice Stands in for Venus's ProtocolShareReserve: what is sent here stays here.
"""


@external
def updateAssetsState(comptroller: address, asset: address, income: uint8):
    pass


@external
@payable
def __default__():
    pass
