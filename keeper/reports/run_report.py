"""What a run of the keeper did, for people and for scripts: liquidations, refusals, totals.

Law: realised figures come from the ledger and from logs of landed transactions, never from plans. A transaction with
several liquidations shares its net and gas equally among them, and the shares add up to the whole.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from keeper.contracts.decode import skipped_legs
from keeper.core.events import Log
from keeper.core.journal import Entry, Line
from keeper.core.plans import Leg
from keeper.core.refusals import Skip
from keeper.core.units import Address, BlockNumber
from keeper.output import decimal
from keeper.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Liquidated:
    """One liquidation that is on chain."""

    protocol: str
    market: Address
    account: Address
    collateral_asset: Address
    debt_asset: Address
    repaid: int
    seized: int
    predicted_net_wei: int
    realised_net_wei: int
    gas_used: int
    block: BlockNumber
    tx: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """A whole run."""

    liquidations: tuple[Liquidated, ...]
    skips: tuple[Skip, ...]
    reverted: int
    public_broadcasts: int
    shock_block: int | None

    @property
    def realised(self) -> int:
        """What the run earned after everything, in wei."""
        return sum(one.realised_net_wei for one in self.liquidations)

    @property
    def predicted(self) -> int:
        """What its plans had promised."""
        return sum(one.predicted_net_wei for one in self.liquidations)

    @property
    def assets(self) -> set[Address]:
        """What was repaid and seized."""
        return {asset for one in self.liquidations for asset in (one.collateral_asset, one.debt_asset)}

    def record(self) -> Mapping[str, object]:
        """The report file: design §5 is its contract."""
        return {
            "liquidations": [asdict(one) for one in self.liquidations],
            "skips": [skipped(skip) for skip in self.skips],
            "totals": {
                "liquidated": len(self.liquidations),
                "reverted": self.reverted,
                "public_broadcasts": self.public_broadcasts,
                "predicted_net_wei": self.predicted,
                "realised_net_wei": self.realised,
            },
            "shock_block": self.shock_block,
        }

    def write(self, path: Path) -> None:
        """Save it; integers are decimal strings."""
        path.write_text(json.dumps(decimal(self.record()), indent=2) + "\n", encoding="utf-8")


def skipped(skip: Skip) -> Mapping[str, object]:
    """A refusal as records show it."""
    return {"account": skip.account, "reason": skip.reason.value, "term": skip.term, "market": skip.market}


def landed(journal: Journal) -> list[tuple[Entry, Line]]:
    """Every transaction of ours that is on chain as far as the ledger knows, with its opportunity."""
    by_opportunity: dict[str, list[Line]] = {}
    for line in journal.lines():
        by_opportunity.setdefault(line.opportunity, []).append(line)
    found = []
    for opportunity, lines in by_opportunity.items():
        entry, line = journal.find(opportunity), lines[-1]
        if entry is not None and not line.reversal:
            found.append((entry, line))
    return found


def liquidated(entry: Entry, line: Line, logs: Iterable[Log], executor: Address) -> list[Liquidated]:
    """The liquidations of one landed transaction."""
    variant = entry.variant(line.tx)
    if variant is None or variant.plan is None:
        return []
    undone = {place for place, _ in skipped_legs(logs, executor)}
    legs = [leg for place, leg in enumerate(variant.plan.legs) if place not in undone]
    weights = [1] * len(legs)
    shares = zip(
        legs, shared(line.predicted, weights), shared(line.net, weights), shared(line.gas_used, weights), strict=True
    )
    return [_one(leg, line, predicted, realised, gas) for leg, predicted, realised, gas in shares]


def _one(leg: Leg, line: Line, predicted: int, realised: int, gas: int) -> Liquidated:
    return Liquidated(
        protocol=leg.protocol,
        market=leg.market,
        account=leg.account,
        collateral_asset=leg.collateral_asset,
        debt_asset=leg.debt_asset,
        repaid=leg.settlement.paid,
        seized=leg.settlement.received,
        predicted_net_wei=predicted,
        realised_net_wei=realised,
        gas_used=gas,
        block=line.block,
        tx=line.tx,
    )


def shared(total: int, weights: Sequence[int]) -> list[int]:
    """A total in whole parts, by weight; the parts add up to it, whatever the rounding."""
    whole, left, parts = sum(weights), total, []
    for weight in weights:
        part = left * weight // whole if whole else left
        parts.append(part)
        left, whole = left - part, whole - weight
    return parts
