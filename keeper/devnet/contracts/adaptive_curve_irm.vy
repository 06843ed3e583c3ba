# pragma version 0.4.3
"""
@title An adaptive-curve interest rate model for Morpho Blue: a fixture
@notice Law: the maths, the events and the views of Morpho's AdaptiveCurveIrm, written anew for local chains, because
    that contract is in no package that can be pinned. Division of signed integers goes toward zero, as there.
"""

struct MarketParams:
    loan: address
    collateral: address
    oracle: address
    irm: address
    lltv: uint256

struct Market:
    supply_assets: uint128
    supply_shares: uint128
    borrow_assets: uint128
    borrow_shares: uint128
    updated: uint128
    fee: uint128

event BorrowRateUpdate:
    id: indexed(bytes32)
    avgBorrowRate: uint256
    rateAtTarget: uint256

WAD: constant(int256) = 10**18
YEAR: constant(int256) = 365 * 86400
STEEPNESS: constant(int256) = 4 * 10**18
SPEED: constant(int256) = 50 * 10**18 // (365 * 86400)
TARGET: constant(int256) = 9 * 10**17
INITIAL: constant(int256) = 4 * 10**16 // (365 * 86400)
LEAST: constant(int256) = 10**15 // (365 * 86400)
MOST: constant(int256) = 2 * 10**18 // (365 * 86400)
LN_2: constant(int256) = 693147180559945309
LN_WEI: constant(int256) = -41446531673892822312
EXP_BOUND: constant(int256) = 93859467695000404319
EXP_MOST: constant(int256) = 57716089161558943949701069502944508345128422502756744429568

MORPHO: public(immutable(address))
rateAtTarget: public(HashMap[bytes32, int256])


@deploy
def __init__(morpho: address):
    MORPHO = morpho


@external
@view
def borrowRateView(params: MarketParams, market: Market) -> uint256:
    return self._rate(keccak256(abi_encode(params)), market)[0]


@external
def borrowRate(params: MarketParams, market: Market) -> uint256:
    assert msg.sender == MORPHO, "not Morpho"
    id: bytes32 = keccak256(abi_encode(params))
    rate: uint256 = 0
    target: int256 = 0
    rate, target = self._rate(id, market)
    self.rateAtTarget[id] = target
    log BorrowRateUpdate(id=id, avgBorrowRate=rate, rateAtTarget=convert(target, uint256))
    return rate


@internal
@view
def _rate(id: bytes32, market: Market) -> (uint256, int256):
    used: int256 = 0
    if market.supply_assets > 0:
        used = convert(convert(market.borrow_assets, uint256) * 10**18 // convert(market.supply_assets, uint256), int256)
    error: int256 = (used - TARGET) * WAD // TARGET
    if used > TARGET:
        error = (used - TARGET) * WAD // (WAD - TARGET)
    start: int256 = self.rateAtTarget[id]
    if start == 0:
        return self._curve(INITIAL, error), INITIAL
    adaptation: int256 = SPEED * error // WAD * convert(block.timestamp - convert(market.updated, uint256), int256)
    if adaptation == 0:
        return self._curve(start, error), start
    end: int256 = self._moved(start, adaptation)
    middle: int256 = self._moved(start, adaptation // 2)
    return self._curve((start + end + 2 * middle) // 4, error), end


@internal
@pure
def _curve(rate: int256, error: int256) -> uint256:
    coefficient: int256 = STEEPNESS - WAD
    if error < 0:
        coefficient = WAD - WAD * WAD // STEEPNESS
    return convert((coefficient * error // WAD + WAD) * rate // WAD, uint256)


@internal
@pure
def _moved(rate: int256, adaptation: int256) -> int256:
    return max(min(rate * self._exp(adaptation) // WAD, MOST), LEAST)


@internal
@pure
def _exp(x: int256) -> int256:
    if x < LN_WEI:
        return 0
    if x >= EXP_BOUND:
        return EXP_MOST
    half: int256 = LN_2 // 2
    if x < 0:
        half = -half
    power: int256 = (x + half) // LN_2
    rest: int256 = x - power * LN_2
    value: int256 = WAD + rest + rest * rest // WAD // 2
    if power >= 0:
        return value << convert(power, uint256)
    return value >> convert(-power, uint256)
