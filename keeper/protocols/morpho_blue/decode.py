"""Logs of Morpho Blue as typed values.

Law: a log is recognised by its first topic alone and decoded by slicing the words that matter. An unknown topic is
``None``. A market's id stays the hex it is.
"""

from collections.abc import Callable
from typing import Final

from keeper.core.events import Log, topic_address, word, word_address
from keeper.protocols.morpho_blue import events as e
from keeper.protocols.morpho_blue import topics as t

Decoder = Callable[[tuple[str, ...], str], e.Event]


def decode(log: Log) -> e.Event | None:
    """The event a log says, or ``None`` when it says nothing that matters here."""
    topics = log.topics
    decoder = _DECODERS.get(topics[0]) if topics else None
    return decoder(topics, log.data) if decoder else None


def _create_market(topics: tuple[str, ...], data: str) -> e.CreateMarket:
    loan, collateral, oracle, model = (word_address(data, i) for i in range(4))
    return e.CreateMarket(topics[1], loan, collateral, oracle, model, word(data, 4))


def _supply(topics: tuple[str, ...], data: str) -> e.Lent:
    return e.Lent(topics[1], word(data, 0), word(data, 1))


def _withdraw(topics: tuple[str, ...], data: str) -> e.Lent:
    return e.Lent(topics[1], -word(data, 1), -word(data, 2))


def _borrow(topics: tuple[str, ...], data: str) -> e.Borrowed:
    return e.Borrowed(topics[1], topic_address(topics[2]), word(data, 1), word(data, 2))


def _repay(topics: tuple[str, ...], data: str) -> e.Borrowed:
    return e.Borrowed(topics[1], topic_address(topics[3]), -word(data, 0), -word(data, 1))


def _supply_collateral(topics: tuple[str, ...], data: str) -> e.Pledged:
    return e.Pledged(topics[1], topic_address(topics[3]), word(data, 0))


def _withdraw_collateral(topics: tuple[str, ...], data: str) -> e.Pledged:
    return e.Pledged(topics[1], topic_address(topics[2]), -word(data, 1))


def _liquidate(topics: tuple[str, ...], data: str) -> e.Liquidate:
    return e.Liquidate(
        topics[1], topic_address(topics[2]), topic_address(topics[3]), *(word(data, i) for i in range(5))
    )


def _accrue_interest(topics: tuple[str, ...], data: str) -> e.AccrueInterest:
    return e.AccrueInterest(topics[1], *(word(data, i) for i in range(3)))


def _set_fee(topics: tuple[str, ...], data: str) -> e.SetFee:
    return e.SetFee(topics[1], word(data, 0))


def _set_authorization(topics: tuple[str, ...], data: str) -> e.SetAuthorization:
    return e.SetAuthorization(topic_address(topics[2]), topic_address(topics[3]), bool(word(data, 0)))


def _borrow_rate_update(topics: tuple[str, ...], data: str) -> e.BorrowRateUpdate:
    return e.BorrowRateUpdate(topics[1], word(data, 0), word(data, 1))


def _create_pre_liquidation(topics: tuple[str, ...], data: str) -> e.CreatePreLiquidation:
    return e.CreatePreLiquidation(
        contract=topic_address(topics[1]),
        market=data[:66],
        lltv=word(data, 1),
        close_factor=(word(data, 2), word(data, 3)),
        incentive=(word(data, 4), word(data, 5)),
        oracle=word_address(data, 6),
    )


def _pre_liquidate(topics: tuple[str, ...], data: str) -> e.PreLiquidate:
    return e.PreLiquidate(
        topics[1], topic_address(topics[2]), topic_address(topics[3]), *(word(data, i) for i in range(3))
    )


_DECODERS: Final[dict[str, Decoder]] = {
    t.CREATE_MARKET: _create_market,
    t.SUPPLY: _supply,
    t.WITHDRAW: _withdraw,
    t.BORROW: _borrow,
    t.REPAY: _repay,
    t.SUPPLY_COLLATERAL: _supply_collateral,
    t.WITHDRAW_COLLATERAL: _withdraw_collateral,
    t.LIQUIDATE: _liquidate,
    t.ACCRUE_INTEREST: _accrue_interest,
    t.SET_FEE: _set_fee,
    t.SET_AUTHORIZATION: _set_authorization,
    t.BORROW_RATE_UPDATE: _borrow_rate_update,
    t.CREATE_PRE_LIQUIDATION: _create_pre_liquidation,
    t.PRE_LIQUIDATE: _pre_liquidate,
}
