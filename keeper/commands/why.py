"""``keeper why``: why an account is not liquidated.

Law: what keeper itself has stored is told first, and needs no endpoint; only without it the account is looked up. The
same account may be in several markets: each is told by itself.
"""

import re
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing

from keeper.books import Desk, desk
from keeper.commands.tables import fixed, say
from keeper.core.journal import OPEN, State
from keeper.core.ports import Health, Quarantine
from keeper.core.units import ADDRESS_DIGITS, MAX_U256, WAD, Address, owner
from keeper.errors import ConfigError, Exit
from keeper.indexer.audit import live_rows
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings
from keeper.store.journal import Journal
from keeper.store.reasons import Why
from keeper.store.reasons import why as stored

LANDED = frozenset({State.LANDED, State.REVERTED})
Record = Mapping[str, object]


async def why(settings: Settings, args: Namespace) -> int:
    """The stored reason; else what is in flight; else the account's health."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}(:\S+)?", args.account):
        raise ConfigError(f"{args.account}: an account is 0x and 40 hex digits, and after a colon the pocket it is in")
    account = Address(owner(args.account).lower() + args.account[ADDRESS_DIGITS:])
    reasons = stored(settings.store.path, account)
    records = _sent(settings, account)
    sent = {record["market"] for record in records}
    records += [_refused(reason) for reason in reasons if not reason.ended and reason.market not in sent]
    if not records:
        records = await _looked_up(settings, account)
    for record in records or [{"account": account, "verdict": "unknown", "says": "no market has this account"}]:
        if args.json:
            emit({"account": account, **record})
        else:
            say(f"{account}: {record['verdict']}: {record['says']}" + _where(record.get("market")))
    for past in () if args.json else [reason for reason in reasons if reason.ended]:
        span = f"blocks {past.since} to {past.block}, then {past.ended}"
        say(f"  before: {past.reason} ({past.term}), {span}" + _where(past.market))
    return Exit.DONE if records else Exit.NO


def _where(market: object) -> str:
    return f", market {market}" if market else ""


def _refused(reason: Why) -> Record:
    when = f"since block {reason.since}" if reason.since < reason.block else f"in block {reason.block}"
    return {
        "verdict": "refused",
        "says": f"{reason.reason}, {reason.term}, {when}",
        "reason": reason.reason,
        "term": reason.term,
        "since": reason.since,
        "block": reason.block,
        "market": reason.market,
    }


def _sent(settings: Settings, account: Address) -> list[Record]:
    """What was sent about the account and is not final, market by market: what may land, else what has."""
    with closing(Journal(settings.store.path, settings.chain.id)) as journal:
        about = [(market, entry) for entry in journal.open() for market, one in entry.accounts if one == account]
    about.sort(key=lambda pair: (pair[0], pair[1].id))
    open_ = [(market, entry) for market, entry in about if entry.state in OPEN]
    waited = {market for market, _ in open_}
    landed = [(market, entry) for market, entry in about if entry.state in LANDED and market not in waited]
    return [
        {
            "verdict": "in flight" if entry.state in OPEN else entry.state.value,
            "says": f"opportunity {entry.id}, "
            + (f"until block {entry.until}" if entry.state in OPEN else f"in block {entry.fate and entry.fate.block}"),
            "opportunity_id": entry.id,
            "state": entry.state.value,
            "market": market,
        }
        for market, entry in open_ + landed
    ]


async def _looked_up(settings: Settings, account: Address) -> list[Record]:
    """The account's health in each market, at the head."""
    with reporter() as report:
        async with desk(settings, None, report) as at:
            return _healths(at, account)


def _healths(at: Desk, account: Address) -> list[Record]:
    found: list[Record] = []
    for market in at.indexer.markets:
        for row in live_rows(market.book):
            if market.book.account(row) == account:
                health = market.adapter.health(market.book, row, at.block.timestamp)
                found.append({**_judged(health), "market": market.adapter.market, "block": at.block.number})
    return found


def _judged(health: Health | Quarantine) -> Record:
    if isinstance(health, Quarantine):
        return {"verdict": "quarantined", "says": f"{health.subject}: {health.reason}"}
    factor = health.health_factor
    if factor == MAX_U256:
        return {"verdict": "healthy", "says": "it has no debt"}
    shown = fixed(factor, 18, 6)
    if factor >= WAD:
        return {"verdict": "healthy", "says": f"health factor {shown}", "health_factor": factor}
    says = f"health factor {shown}, and no block was decided on since: does keeper run?"
    return {"verdict": "undecided", "says": says, "health_factor": factor}
