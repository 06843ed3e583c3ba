"""How many liquidations fit: into blocks, through signers, out of a gas budget; and what waiting costs.

Laws
- Accounts are cleared by what they bring for the gas they burn, the best first; what earns nothing is not cleared.
- A block takes what its gas, the signers' transactions and the budget for gas all allow.
- Whoever waits may lose it to a rival: in every block with the given probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from keeper.core.ports import Supposing
from keeper.core.refusals import Reason
from keeper.core.units import Address
from keeper.errors import ConfigError
from keeper.reports.snapshot import Snapshot

SPIKES: Final = (1, 2, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Job:
    """One account to be cleared."""

    account: Address
    bonus: float  # base units, before gas


@dataclass(frozen=True, slots=True)
class Limits:
    """What a block lets through."""

    gas: int  # of one liquidation
    block_gas: int
    tx_gas: int
    signers: int
    budget: float | None  # base units for gas, all in all
    cost: float  # base units of one liquidation's gas
    rivals: float  # chance that another takes it, per block

    @property
    def each(self) -> int:
        """Liquidations a block."""
        by_signers = self.signers * max(self.tx_gas // self.gas, 1)
        found = min(self.block_gas // self.gas, by_signers)
        if not found:
            raise ConfigError(f"a liquidation of {self.gas} gas does not fit into a block of {self.block_gas}")
        return found


@dataclass(frozen=True, slots=True)
class Drain:
    """Everything that is worth clearing, in order."""

    jobs: tuple[Job, ...]
    each: int
    dear: int  # accounts that do not pay their gas
    unpaid: int  # accounts the budget does not reach
    lost: float  # expected loss to rivals while waiting
    nets: tuple[float, ...]

    @property
    def blocks(self) -> int:
        """Until all is cleared."""
        return -(-len(self.jobs) // self.each)

    def cleared(self) -> list[float]:
        """Net cleared by the end of each block, if nobody interferes."""
        sums = np.cumsum(self.nets) if self.nets else np.zeros(0)
        return [
            float(sums[min(end, len(sums)) - 1]) for end in range(self.each, self.blocks * self.each + 1, self.each)
        ]


def jobs(snap: Snapshot, rows: Sequence[int], prices: dict[Address, int], bonus: float) -> list[Job]:
    """What each account would bring at these prices; of an adapter that cannot suppose, the bonus on its debt."""
    adapter, found = snap.adapter, []
    debts = _debts(snap, rows)
    for row in rows:
        brings = debts.get(row, 0.0) * bonus
        if isinstance(adapter, Supposing):
            brings = max((_bonus(snap, prices, action) for action in adapter.supposed(snap.book, row, snap.at, prices)
                          if not isinstance(action, Reason)), default=0.0)  # fmt: skip
        found.append(Job(snap.book.account(row), brings))
    return found


def drain(found: Sequence[Job], limits: Limits) -> Drain:
    """In which order, how long, and what is lost."""
    worth = sorted((job for job in found if job.bonus > limits.cost), key=lambda job: (-job.bonus, job.account))
    paid = (
        len(worth) if limits.budget is None or not limits.cost else min(int(limits.budget // limits.cost), len(worth))
    )
    kept = tuple(worth[:paid])
    nets = tuple(job.bonus - limits.cost for job in kept)
    waits = [at // limits.each for at in range(len(kept))]
    lost = sum(net * (1 - (1 - limits.rivals) ** wait) for net, wait in zip(nets, waits, strict=True))
    return Drain(kept, limits.each, len(found) - len(worth), len(worth) - paid, lost, nets)


@dataclass(frozen=True, slots=True)
class Spike:
    """Gas at a multiple of its price: the least bonus that pays, and who is left."""

    times: int
    cutoff: float
    left: int


def spikes(found: Sequence[Job], cost: float) -> list[Spike]:
    """What dearer gas does."""
    return [Spike(times, cost * times, sum(job.bonus > cost * times for job in found)) for times in SPIKES]


def _bonus(snap: Snapshot, prices: dict[Address, int], action: object) -> float:
    ends = action.intervals()  # type: ignore[attr-defined]
    if not ends:
        return 0.0
    done = action.settle(ends[-1][1])  # type: ignore[attr-defined]
    got, paid = action.collateral_asset, action.debt_asset  # type: ignore[attr-defined]
    return _worth(snap, prices, got, done.received) - _worth(snap, prices, paid, done.paid)


def _worth(snap: Snapshot, prices: dict[Address, int], asset: Address, amount: int) -> float:
    return amount * prices.get(asset, snap.assets[asset].price) / snap.assets[asset].unit


def _debts(snap: Snapshot, rows: Sequence[int]) -> dict[int, float]:
    held = snap.held(np.array(rows, np.int64))
    return dict(zip(held.rows.tolist(), (-held.sums(held.worth < 0)).tolist(), strict=True))


# latency -------------------------------------------------------------------------------------------------------------


def latency(records: Sequence[dict[str, object]]) -> dict[str, tuple[float, float]]:
    """Of ``opportunity.planned`` log lines: 50th and 95th percentile of the seconds each step took."""
    taken: dict[str, list[float]] = {}
    for record in records:
        steps = record.get("steps_s")
        if record.get("event") == "opportunity.planned" and isinstance(steps, dict):
            for name, seconds in steps.items():
                taken.setdefault(str(name), []).append(float(seconds))
    return {
        name: (float(np.percentile(values, 50)), float(np.percentile(values, 95))) for name, values in taken.items()
    }
