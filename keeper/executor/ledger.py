"""What included transactions brought, in wei.

Law: a line is what balances changed by, not what was hoped for: the profit token as its own logs tell it, gas as the
receipt tells it. The sum of all lines is the change of the executor's and the signing accounts' balances, exactly.
"""

from keeper.contracts.decode import realised
from keeper.contracts.encode import Executor
from keeper.core.journal import Entry, Line
from keeper.core.units import Wei
from keeper.executor.tracker import Inclusion


def book(entry: Entry, landed: Inclusion, contract: Executor, kept: Wei) -> Line:
    """The line of an included transaction. ``kept``: of its bid, refused by the fee recipient and so still ours."""
    variant = entry.variant(landed.fate.tx)
    if variant is None or landed.fate.tx is None:
        raise ValueError(f"{landed.fate.tx} is none of opportunity {entry.id}")
    plan = variant.plan
    done = realised(landed.logs, contract.address, contract.weth)
    return Line(
        opportunity=entry.id,
        tx=landed.fate.tx,
        block=landed.fate.block,
        hash=landed.fate.hash,
        executor=Wei(done.profit - done.bid + kept),
        eoa=Wei(-landed.cost),
        gas_used=landed.gas_used,
        bid=Wei(done.bid - kept),
        predicted=Wei(plan.estimate.net if plan else 0),
    )


def bid_of(landed: Inclusion, contract: Executor) -> Wei:
    """What a transaction offered to the fee recipient."""
    return realised(landed.logs, contract.address, contract.weth).bid
