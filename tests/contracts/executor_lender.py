"""A lender that keeps its word until it is told otherwise."""

from typing import Final

from keeper.core.units import ZERO_ADDRESS
from keeper.devnet.contract import Contract
from tests.contracts.executor_world import STRANGER

_HONEST: Final[dict[str, object]] = {
    "lends": 100,
    "says": 0,
    "fee": 0,
    "calls_back": 1,
    "initiator": ZERO_ADDRESS,
    "ally": ZERO_ADDRESS,
    "takes": 0,
}


def lies(lender: Contract, **how: object) -> None:
    """What ``lying_lender.vy`` does from now on that it should not."""
    lender.send("behave", tuple((_HONEST | how).values()), sender=STRANGER)
