"""Liquidations that happened, from the pool's own logs."""

from collections.abc import Sequence

from keeper.core.events import Log
from keeper.core.outlook import Liquidated
from keeper.core.units import Address
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.events import LiquidationCall


def outcomes(pool: Address, logs: Sequence[Log]) -> list[Liquidated]:
    """What ``LiquidationCall`` says; of receipts too, amounts are the underlying's."""
    found = [(log, decode(log)) for log in logs if log.address == pool]
    return [
        Liquidated(
            event.account, event.collateral_asset, event.debt_asset, event.paid, event.received, event.liquidator,
            log.transaction_hash, log.block,
        )
        for log, event in found
        if isinstance(event, LiquidationCall)
    ]  # fmt: skip
