"""Logs of a Perpetual v2 exchange as typed values.

Law: a log is recognised by its first topic alone and decoded by slicing the words that matter; what moves neither
health nor liquidations is ``None``. The caller subscribes to the right addresses: this page trusts the emitter.
"""

from collections.abc import Callable
from typing import Final

from keeper.core.events import Log, signed_word, topic_address, word, word_address
from keeper.core.units import Address
from keeper.protocols.perp_curie import events as e
from keeper.protocols.perp_curie import topics as t

Decoder = Callable[[Log], e.Event]


def decode(log: Log) -> e.Event | None:
    """The event a log says, or ``None`` when it says nothing that matters here."""
    decoder = _DECODERS.get(log.topics[0]) if log.topics else None
    return decoder(log) if decoder else None


def _at(log: Log, place: int) -> Address:
    return topic_address(log.topics[place])


def _position_changed(log: Log) -> e.PositionChanged:
    return e.PositionChanged(_at(log, 1), _at(log, 2), signed_word(log.data, 0), signed_word(log.data, 3))


def _liquidated(log: Log) -> e.PositionLiquidated:
    notional, size, penalty = (word(log.data, i) for i in range(3))
    return e.PositionLiquidated(_at(log, 1), _at(log, 2), notional, size, penalty, word_address(log.data, 3))


def _liquidity_changed(log: Log) -> e.LiquidityChanged:
    lower, upper, base, quote, liquidity = (signed_word(log.data, i) for i in range(5))
    return e.LiquidityChanged(_at(log, 1), _at(log, 2), lower, upper, base, quote, liquidity)


def _collateral_liquidated(log: Log) -> e.CollateralLiquidated:
    amount, repaid, fee = (word(log.data, i) for i in range(3))
    return e.CollateralLiquidated(_at(log, 1), _at(log, 2), amount, repaid, fee)


def _pool_added(log: Log) -> e.PoolAdded:
    return e.PoolAdded(_at(log, 1), _at(log, 3), int(log.topics[2], 16))


def _named(kind: str) -> Decoder:
    """What is said of an address that is the first parameter, indexed or not."""
    return lambda log: e.Touched(kind, _at(log, 1) if len(log.topics) > 1 else word_address(log.data, 0))


def _emitted(kind: str) -> Decoder:
    return lambda log: e.Touched(kind, log.address)


def _pool(log: Log) -> e.PoolEvent:
    return e.PoolEvent(log.address)


_DECODERS: Final[dict[str, Decoder]] = {
    t.POSITION_CHANGED: _position_changed,
    t.POSITION_CLOSED: lambda log: e.PositionClosed(_at(log, 1), _at(log, 2)),
    t.POSITION_LIQUIDATED: _liquidated,
    t.LIQUIDITY_CHANGED: _liquidity_changed,
    t.FUNDING_PAYMENT_SETTLED: lambda log: e.FundingPaymentSettled(_at(log, 1), _at(log, 2)),
    t.PNL_REALIZED: lambda log: e.PnlRealized(_at(log, 1), signed_word(log.data, 0)),
    t.FUNDING_UPDATED: lambda log: e.FundingUpdated(_at(log, 1)),
    t.DEPOSITED: lambda log: e.Deposited(_at(log, 1), _at(log, 2), word(log.data, 0)),
    t.WITHDRAWN: lambda log: e.Withdrawn(_at(log, 1), _at(log, 2), word(log.data, 0)),
    t.COLLATERAL_LIQUIDATED: _collateral_liquidated,
    t.BAD_DEBT_SETTLED: lambda log: e.BadDebtSettled(_at(log, 1), word(log.data, 0)),
    t.POOL_ADDED: _pool_added,
    t.COLLATERAL_ADDED: lambda log: e.CollateralAdded(_at(log, 1)),
    t.PAUSED: lambda log: e.Paused(log.address, paused=True),
    t.UNPAUSED: lambda log: e.Paused(log.address, paused=False),
    t.TICK_CAP_CHANGED: _named("fees"),
    t.FEE_RATIO_CHANGED: _named("fees"),
    t.FUND_SHARE_CHANGED: _named("fees"),
    t.SPREAD_CHANGED: _named("fees"),
    t.COLLATERAL_RATIO_CHANGED: _named("collateral"),
    t.COLLATERAL_FEED_CHANGED: _named("collateral"),
    t.PENALTY_CHANGED: _emitted("risk"),
    t.TWAP_INTERVAL_CHANGED: _emitted("risk"),
    t.MAX_FUNDING_CHANGED: _emitted("risk"),
    t.MARKET_INTERVAL_CHANGED: _emitted("risk"),
    t.PREMIUM_INTERVAL_CHANGED: _emitted("risk"),
    t.BALANCE_CAP_CHANGED: _emitted("risk"),
    t.STATUS_UPDATED: _emitted("status"),
    t.FEED_CHANGED: _emitted("feed"),
    t.SECOND_SOURCE_SET: _emitted("feed"),
    t.PRICE_UPDATED: _emitted("index"),
    t.POOL_MINT: _pool,
    t.POOL_BURN: _pool,
    t.POOL_SWAP: _pool,
}
