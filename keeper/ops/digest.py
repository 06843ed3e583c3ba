"""How keeper is, in a few lines for a person who has not looked for a day.

Law: pure; says first whether it can act, and if not why; amounts are of the native token, since the start.
"""

from collections.abc import Iterator

from keeper.ops.census import BANDS
from keeper.ops.notices import span
from keeper.ops.ready import obstacles
from keeper.ops.status import Status
from keeper.ops.values import Outcome, coins

_RACE = (Outcome.INCLUDED, Outcome.OUTBID, Outcome.MISSED, Outcome.REVERTED, Outcome.SIMULATION_FAILED)


def digest(status: Status) -> str:
    """The lines."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    found = obstacles(status)
    yield "ready" if not found else "NOT READY: " + "; ".join(one.why for one in found)
    behind = f", {status.lag} behind" if status.lag else ""
    up = span(status.now() - status.started)
    where = f"chain {status.chain_id}, block {status.tip}{behind}"
    yield f"{status.mode.value} on {where}, up {up}, keeper {status.version}"
    bands = status.census.bands
    near = sum(bands.get(name, 0) for name in BANDS[1:3])
    yield f"accounts {status.census.accounts:,}: {status.census.liquidatable:,} below 1, {near:,} below 1.05"
    refused = sum(status.refused().values())
    yield ", ".join([*(f"{one.value} {status.outcomes[one]}" for one in _RACE), f"refused now {refused}"])
    costs = f"gas {coins(status.gas)}, bids {coins(status.bids)}"
    yield f"net {coins(status.realised)} (predicted {coins(status.predicted)}), {costs}"
    for address, purse in status.purses.items():
        yield f"{address} has {coins(purse.balance)}"
