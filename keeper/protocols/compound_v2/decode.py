"""Logs of a Compound v2 market as typed values.

Law: a log is recognised by its first topic and decoded by slicing the words that matter. Forks index other arguments
of the same event: topics and data are read as one row of words. What is not recognised is ``Other``: a change of
configuration, as far as anybody knows.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from keeper.core.events import Log, signed_word
from keeper.core.units import Address
from keeper.protocols.compound_v2 import events as e
from keeper.protocols.compound_v2 import topics as t

_address = cast("Callable[[str], Address]", "0x".__add__)
_QUIET: Final = e.Quiet()


def decode(log: Log) -> e.Event:
    """The event a log says."""
    topics = log.topics
    if not topics:
        return _QUIET
    decoder = _DECODERS.get(topics[0])
    if decoder is not None:
        return decoder(log)
    return _QUIET if topics[0] in t.QUIET else e.Other(log.address)


def failure(log: Log) -> e.Failure | None:
    """The refusal a log tells, if it tells one."""
    if not log.topics or log.topics[0] != t.FAILURE:
        return None
    return e.Failure(*(int(log.data[at : at + 64], 16) for at in (2, 66, 130)))


def liquidation(log: Log) -> e.Liquidation | None:
    """The liquidation a log tells. Through a Liquidator both it and the vToken tell one; to the vToken it is that."""
    if not log.topics:
        return None
    if log.topics[0] == t.LIQUIDATE_BORROW:
        liquidator, account, repaid, collateral, seized = _row(log)[:5]
        return e.Liquidation(
            _at(liquidator), _at(account), log.address, int(repaid, 16), _at(collateral), int(seized, 16)
        )
    if log.topics[0] == t.LIQUIDATE_BORROWED_TOKENS:  # liquidator, borrower, vToken | repaid, borrowed, ours, theirs
        liquidator, account, collateral, repaid, borrowed, _, theirs = _row(log)[:7]
        return e.Liquidation(
            _at(liquidator), _at(account), _at(borrowed), int(repaid, 16), _at(collateral), int(theirs, 16)
        )
    return None


def _row(log: Log) -> list[str]:
    """Indexed arguments, then the others, as words."""
    data = log.data
    return [*(topic[2:] for topic in log.topics[1:]), *(data[at : at + 64] for at in range(2, len(data), 64))]


def _at(word: str) -> Address:
    return _address(word[24:])


def _transfer(log: Log) -> e.Transfer:
    topics = log.topics
    return e.Transfer(log.address, _address(topics[1][26:]), _address(topics[2][26:]), int(log.data[2:66], 16))


def _borrow(log: Log) -> e.Owed:  # borrower, borrowed, owes, total
    data = log.data
    return e.Owed(log.address, _address(data[26:66]), int(data[130:194], 16))


def _repay(log: Log) -> e.Owed:  # payer, borrower, repaid, owes, total
    data = log.data
    return e.Owed(log.address, _address(data[90:130]), int(data[194:258], 16))


def _accrued(log: Log) -> e.Accrued:  # cash, interest, index, total
    return e.Accrued(log.address, int(log.data[130:194], 16))


def _accrued_old(log: Log) -> e.Accrued:  # interest, index, total
    return e.Accrued(log.address, int(log.data[66:130], 16))


def _entered(log: Log) -> e.Membership:
    v_token, account = _row(log)[:2]
    return e.Membership(_at(v_token), _at(account), inside=True)


def _exited(log: Log) -> e.Membership:
    v_token, account = _row(log)[:2]
    return e.Membership(_at(v_token), _at(account), inside=False)


def _pool_selected(log: Log) -> e.PoolSelected:  # account, new pool | previous pool
    return e.PoolSelected(_address(log.topics[1][26:]), int(log.topics[2], 16))


def _forced(log: Log) -> e.ForcedForUser:
    account, v_token, enabled = _row(log)[:3]
    return e.ForcedForUser(_at(account), _at(v_token), int(enabled, 16) != 0)


def _restricted(log: Log) -> e.Restricted:
    return e.Restricted(_at(_row(log)[0]), restricted=True)


def _unrestricted(log: Log) -> e.Restricted:
    return e.Restricted(_at(_row(log)[0]), restricted=False)


def _listed(log: Log) -> e.MarketListed:
    return e.MarketListed(_at(_row(log)[0]))


def _vai_first(log: Log) -> e.StablecoinMoved:
    return e.StablecoinMoved(_at(_row(log)[0]))


def _vai_second(log: Log) -> e.StablecoinMoved:
    return e.StablecoinMoved(_at(_row(log)[1]))


def _answered(log: Log) -> e.FeedAnswered:
    return e.FeedAnswered(log.address, signed_word(log.topics[1], 0))


_DECODERS: Final[Mapping[str, Callable[[Log], e.Event]]] = {
    t.TRANSFER: _transfer,
    t.BORROW: _borrow,
    t.REPAY_BORROW: _repay,
    t.ACCRUE_INTEREST: _accrued,
    t.ACCRUE_INTEREST_OLD: _accrued_old,
    t.MARKET_LISTED: _listed,
    t.MARKET_ENTERED: _entered,
    t.MARKET_EXITED: _exited,
    t.POOL_SELECTED: _pool_selected,
    t.FORCED_FOR_USER: _forced,
    t.LIQUIDATION_RESTRICTED: _restricted,
    t.RESTRICTIONS_DISABLED: _unrestricted,
    t.MINT_VAI: _vai_first,
    t.REPAY_VAI: _vai_second,
    t.LIQUIDATE_VAI: _vai_second,
    t.ANSWER_UPDATED: _answered,
}
