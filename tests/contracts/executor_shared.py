"""Legs that share a loan, and what a receipt tells about the loan."""

from dataclasses import replace
from typing import NamedTuple

from keeper.core.events import word
from keeper.core.plans import FundingKind, Leg
from keeper.core.units import Address
from keeper.devnet.rpc import Receipt
from tests.contracts.executor_world import Rig, logs_of

FLASH_LOAN = "0xefefaba5e921573100900a3ad9cf29f222d995fb3b6045797eaea7521bd8d6f0"  # of Aave


class Lent(NamedTuple):
    """One flash loan as Aave's event tells it."""

    asset: Address
    amount: int
    fee: int


def sharing(*legs: Leg) -> list[Leg]:
    """The same legs in one loan."""
    return [legs[0], *(replace(leg, funding=replace(leg.funding, joins=True)) for leg in legs[1:])]


def loans(
    rig: Rig, count: int, kind: FundingKind = FundingKind.AAVE_FLASH_LOAN, source: Address | None = None
) -> list[Leg]:
    """Legs of accounts that have fallen; each would borrow for itself."""
    accounts = [rig.borrower(owed=15_990 - n) for n in range(count)]
    rig.fall()
    return [rig.loan(account, kind, source) for account in accounts]


def lent(receipt: Receipt) -> list[Lent]:
    """Aave's flash loans."""
    found = [log for log in logs_of(receipt) if log.topics[0] == FLASH_LOAN]
    return [Lent(Address("0x" + log.topics[2][26:]), word(log.data, 1), word(log.data, 3)) for log in found]
