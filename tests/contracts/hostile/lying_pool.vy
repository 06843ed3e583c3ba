# pragma version 0.4.3
"""
@title A pool of either version that lies in the way it is told to
@notice For tests. It keeps whatever it can get.
"""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

interface Swapper:
    def uniswapV3SwapCallback(delta0: int256, delta1: int256, data: Bytes[1]): nonpayable

token0: address
token1: address
calls_back: uint256  # times
pays: bool  # before it calls back
asks: uint256  # zero: what was offered
reserve: uint112


@external
def behave(token0: address, token1: address, calls_back: uint256, pays: bool, asks: uint256, reserve: uint112):
    self.token0 = token0
    self.token1 = token1
    self.calls_back = calls_back
    self.pays = pays
    self.asks = asks
    self.reserve = reserve


@external
@view
def getReserves() -> (uint112, uint112, uint32):
    return self.reserve, self.reserve, 0


@external
def swap(to: address, zero_for_one: bool, amount: int256, limit: uint160, data: Bytes[1]) -> (int256, int256):
    asked: int256 = convert(self.asks, int256)
    if self.asks == 0:
        asked = max(amount, 1)
    if self.pays:
        extcall Token(self.token1 if zero_for_one else self.token0).transfer(to, convert(max(-amount, 0), uint256))
    for _: uint256 in range(self.calls_back, bound=4):
        extcall Swapper(msg.sender).uniswapV3SwapCallback(
            asked if zero_for_one else -amount, -amount if zero_for_one else asked, b""
        )
    return asked, -(2**100)  # whoever believes this is rich


@external
def __default__():
    """
    @notice Version 2's swap, too: it has been paid, so it does nothing.
    """
    pass
