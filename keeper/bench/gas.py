"""Gas of the executor against a bare ``liquidationCall`` of the same run, and what each of its guards costs.

Law: a guard's cost is the difference to the same source without the lines it is marked by, in the cheapest flow that
meets it. An executor without a guard exists on this local chain only.
"""

from dataclasses import replace
from typing import Any, Final

from keeper.bench.gas_morpho import MorphoGas
from keeper.bench.gas_world import GasWorld
from keeper.contracts.encode import Executor
from keeper.devnet.build import make_world

VERSION: Final = "3.6"
LEGS: Final = 10
MOST_ACCOUNTS: Final = 50  # that fit into one block
GUARDS: Final = ("caller", "deadline", "lock", "market", "witness", "lent", "callback", "allowance", "profit")
_BY_LOAN: Final = ("initiator",)
_POOL: Final = "pool"
_HALF: Final = 5_000  # bps


def run(accounts: int = LEGS) -> dict[str, Any]:
    """All figures; ``accounts`` is how many are liquidated in the batch."""
    with make_world(VERSION) as world:
        at = GasWorld(world, accounts)
        full = at.executor()
        aave = {"aave": VERSION} | _ratios(at, full) | _extras(at, full) | _guards(at, full)
        return aave | MorphoGas(at).figures()


def _ratios(at: GasWorld, full: Executor) -> dict[str, Any]:
    bare, legs = at.gas_of_liquidation_call(), len(at.accounts)
    swap, swaps = (at.gas(full, at.flash_swap(accounts)) for accounts in (at.accounts[:1], at.accounts))
    loan, loans = (at.gas(full, at.flash_loan(accounts)) for accounts in (at.accounts[:1], at.accounts))
    shared = at.gas(full, at.flash_loan(at.accounts, shared=True))
    return {
        "bare_liquidation_call": bare,
        "flash_swap": swap,
        "flash_loan": loan,
        "batch_legs": legs,
        "batch_of_flash_swaps": swaps,
        "batch_of_flash_loans": loans,
        "batch_by_a_shared_loan": shared,
        "ratio_flash_swap": round(swap / bare, 3),
        "ratio_flash_loan": round(loan / bare, 3),
        "ratio_batch_to_singles": round(swaps / (legs * swap), 3),
        "ratio_batch_to_singles_by_loan": round(loans / (legs * loan), 3),
        "ratio_batch_to_singles_by_shared_loan": round(shared / (legs * loan), 3),
    }


def _extras(at: GasWorld, full: Executor) -> dict[str, Any]:
    """What is not in every transaction."""
    one, probing = at.accounts[:1], replace(full, probe=True)
    plan = at.flash_swap(one)
    swap = at.gas(full, plan)
    return {
        "bid": at.gas(full, at.flash_swap(one, bid=_HALF)) - swap,
        "first_profit": at.gas(at.executor(held=0), plan) - swap,
        "access_list": at.gas_listed(full, plan) - swap,
        "probe": at.gas(probing, plan) - swap,
        "late_after_rival": at.gas_too_late(full, plan, rival=True),
        "late_after_recovery": at.gas_too_late(full, plan, rival=False),
        "late_after_recovery_probed": at.gas_too_late(probing, plan, rival=False),
    }


def _guards(at: GasWorld, full: Executor) -> dict[str, Any]:
    one = at.accounts[:1]
    plan, unwitnessed = at.flash_swap(one), at.flash_swap(one, witnessed=False)
    swap, loan = at.gas(full, plan), at.gas(full, at.flash_loan(one))
    left = {name: at.gas(at.executor(name), unwitnessed if name == "witness" else plan) for name in GUARDS}
    costs = {name: swap - gas for name, gas in left.items()}
    costs |= {name: loan - at.gas(at.executor(name), at.flash_loan(one)) for name in _BY_LOAN}
    believed = replace(at.executor(_POOL, "lent"), factories=())  # a pool's address as the calldata has it
    costs[_POOL] = left["lent"] - at.gas(believed, plan)
    bare = at.gas(at.executor(*GUARDS), unwitnessed)
    return {f"guard_{name}": cost for name, cost in costs.items()} | {"guards_of_flash_swap_together": swap - bare}
