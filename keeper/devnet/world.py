"""A local world: one node with real protocols on it, and hands to move them.

``World`` is what tests and the demo hold: what users do (``actions``) and what the owners do (``governance``) on the
contracts of a ``stage``. Law: stop it, or use it in a ``with``; the node ends with it.
"""

from types import TracebackType
from typing import Self

from keeper.devnet.actions import Actions


class World(Actions):
    """Everything in one hand."""

    def stop(self) -> None:
        self.anvil.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
