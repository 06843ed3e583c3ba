"""Liquidations that happened, from the clearing house's own logs."""

from collections.abc import Sequence

from keeper.core.events import Log
from keeper.core.outlook import Liquidated
from keeper.core.units import Address
from keeper.protocols.perp_curie.decode import decode
from keeper.protocols.perp_curie.events import PositionLiquidated
from keeper.protocols.perp_curie.facts import Parts


def outcomes(house: Address, parts: Parts, logs: Sequence[Log]) -> list[Liquidated]:
    """Positions that were inherited, at the mark price: in base, and what was paid for it in settlement tokens.

    The liquidator's share of the penalty is in neither: who got it depends on what the account was worth.
    """
    found = [(log, decode(log)) for log in logs if log.address == house]
    return [
        Liquidated(
            event.trader, event.base, parts.settlement, event.notional // parts.unit, event.size, event.liquidator,
            log.transaction_hash, log.block,
        )
        for log, event in found
        if isinstance(event, PositionLiquidated)
    ]  # fmt: skip
