"""What every seeded walk over a market has in common: actions drawn by weight, a few to a block.

Law: the walk is a pure function of its seed. Whoever walks says in ``kinds`` what can be drawn, and how often.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from keeper.core.units import Address
from keeper.devnet.rpc import Tx
from keeper.devnet.stage import Stage


class Player:
    """Plays blocks. ``done`` counts by kind what was not reverted."""

    world: Stage
    random: Random
    accounts: list[Address]
    kinds: dict[str, tuple[int, Callable[[], list[Tx]]]]
    common: tuple[str, ...] = ("supply", "price", "borrow")  # kinds of which a reorganisation has new ones
    done: Counter[str]
    reverted: Counter[str]
    pauses: tuple[int, ...] = (1, 60, 3600, 86_400, 30 * 86_400)  # seconds that may pass between two blocks

    @property
    def actions(self) -> int:
        return self.done.total()

    def play_block(self) -> None:
        """One block of up to five actions."""
        if self.random.random() < 0.08:
            self.world.advance(self.random.choice(self.pauses))
        names = self.random.choices(
            list(self.kinds), [weight for weight, _ in self.kinds.values()], k=self.random.randint(1, 5)
        )
        drawn = [self.drawn(name) for name in names]
        self.submit([(name, tx, at == len(txs) - 1) for name, txs in drawn for at, tx in enumerate(txs)])

    def drawn(self, name: str) -> tuple[str, list[Tx]]:
        """An action; another price, where there is nothing to be done of its kind."""
        txs = self.kinds[name][1]()
        return (name, txs) if txs else ("price", self.kinds["price"][1]())

    def submit(self, txs: list[tuple[str, Tx, bool]]) -> None:
        """All in one block; a transaction that reverts is part of the story. Only an action's last one counts."""
        rpc = self.world.anvil.rpc
        rpc.rpc("evm_setAutomine", False)
        hashes: dict[str, str] = {}
        for name, tx, counts in txs:
            sent = rpc.rpc("eth_sendTransaction", tx.params())
            if counts:
                hashes[sent] = name
        rpc.rpc("evm_mine")
        rpc.rpc("evm_setAutomine", True)
        receipts = rpc.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
        for name, receipt in zip(hashes.values(), receipts, strict=True):
            (self.done if receipt is not None and self.accepted(receipt) else self.reverted)[name] += 1

    def accepted(self, receipt: dict[str, Any]) -> bool:
        """Whether a mined transaction did what was asked."""
        return bool(receipt["status"] == "0x1")
