"""Accounts that sign, and who holds which of their nonces.

Laws
- An opportunity holds one nonce of one account; an account has one holder at a time. Two bundles with the nonces n and
  n + 1 of one account would tie the second to the first.
- A nonce is free again only when it is spent, or when nothing signed with it can turn up in a block any more. Who holds
  what follows from the journal and the chain alone, so a restart changes nothing.
- The chain's count at the head is believed; what a node says of pending transactions only raises suspicion: a pending
  transaction nobody here waits for is stuck.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keeper.core.events import Block
from keeper.core.journal import SPENT, Entry
from keeper.core.units import Address, Wei
from keeper.executor.node import Call, Node
from keeper.log import get_logger

STUCK_AFTER: Final = 3  # heads

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Account:
    """What the chain says of an account at a block."""

    nonce: int  # the next one
    pending: int  # the next one if all that is in the node's pool were included
    balance: Wei


class Nonces:
    """The accounts that sign."""

    def __init__(self, node: Node, signers: Sequence[Address], minimum: Wei) -> None:
        self.signers = tuple(signers)
        self.accounts: Mapping[Address, Account] = {}
        self._node = node
        self._minimum = minimum
        self._leased: set[Address] = set()  # for plans that the journal does not know yet
        self._used: dict[Address, int] = {}  # when each was last leased: the one that has rested longest goes next
        self._turn = 0
        self._low: set[Address] = set()
        self._suspect: dict[Address, int] = {}  # heads in a row with a pending transaction nobody waits for

    async def look(self, head: Block, others: Iterable[Address] = ()) -> None:
        """Read every account at the head. ``others``: accounts that signed once and are signers no more."""
        eoas = list(dict.fromkeys((*self.signers, *others)))
        calls: list[Call] = [(method, (eoa,)) for method in _STATE for eoa in eoas]
        told = [int(word or "0x0", 16) for word in await self._node.state_many(calls, head)]
        pools = [int(word, 16) for word in await self._node.request_many([_pending(eoa) for eoa in eoas])]
        rows = zip(eoas, told[: len(eoas)], pools, told[len(eoas) :], strict=True)
        self.accounts = {eoa: Account(nonce, max(nonce, pool), Wei(balance)) for eoa, nonce, pool, balance in rows}
        self._watch_balances()

    def next(self, entries: Iterable[Entry], need: int, head: Block) -> tuple[Address, int] | None:
        """The account that would be leased now: it can pay ``need`` and has no holder; and its next nonce."""
        held = self._leased | {entry.eoa for entry in entries if self.holds(entry, head)} | self._suspect.keys()
        free = [eoa for eoa in self.signers if eoa not in held and self._can_pay(eoa, need)]
        if not free:
            return None
        eoa = min(free, key=lambda one: self._used.get(one, -1))
        return eoa, self.accounts[eoa].nonce

    def lease(self, entries: Iterable[Entry], need: int, head: Block) -> tuple[Address, int] | None:
        """That account, held from now on. Give it back when done planning."""
        found = self.next(entries, need, head)
        if found is None:
            return None
        eoa, nonce = found
        self._turn += 1
        self._used[eoa] = self._turn
        self._leased.add(eoa)
        return eoa, nonce

    def take(self, eoa: Address) -> bool:
        """Lease this account; False: somebody has it."""
        if eoa in self._leased:
            return False
        self._leased.add(eoa)
        return True

    def give_back(self, eoa: Address) -> None:
        """From now on the journal's entries say who holds it."""
        self._leased.discard(eoa)

    def holds(self, entry: Entry, head: Block) -> bool:
        """Whether an entry still holds its nonce."""
        account = self.accounts.get(entry.eoa)
        spent = entry.state in SPENT or (account is not None and account.nonce > entry.nonce)
        return entry.alive(head.number) and not spent

    def stuck(self, entries: Iterable[Entry], head: Block) -> list[tuple[Address, int]]:
        """Nonces that a pending transaction has been sitting on for a while, of which nobody here expects anything."""
        held = {entry.eoa for entry in entries if self.holds(entry, head)} | self._leased
        waiting = [eoa for eoa in self.signers if self.accounts[eoa].pending > self.accounts[eoa].nonce]
        self._suspect = {eoa: self._suspect.get(eoa, 0) + 1 for eoa in waiting if eoa not in held}
        long = [eoa for eoa, heads in self._suspect.items() if heads >= STUCK_AFTER]
        return [(eoa, self.accounts[eoa].nonce) for eoa in long]

    def _can_pay(self, eoa: Address, need: int) -> bool:
        return eoa in self.accounts and self.accounts[eoa].balance >= need

    def _watch_balances(self) -> None:
        low = {eoa for eoa in self.signers if self.accounts[eoa].balance < self._minimum}
        for eoa in sorted(low - self._low):
            _log.warning("balance.low", address=eoa, balance=self.accounts[eoa].balance, minimum=self._minimum)
        self._low = low


_STATE: Final = ("eth_getTransactionCount", "eth_getBalance")


def _pending(eoa: Address) -> Call:
    return "eth_getTransactionCount", (eoa, "pending")
