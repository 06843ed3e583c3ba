"""A local world: one node with real protocols on it, and hands to move them.

``World`` is what tests and the demo hold: what users do (``actions``, ``crowd``), what the owners do (``governance``)
and what traders do (``trading``) on the contracts of a ``stage``.
Law: stop it, or use it in a ``with``; the node ends with it.
"""

from types import TracebackType
from typing import Self

from keeper.devnet.crowd import Crowd
from keeper.devnet.hostile import Hostile
from keeper.devnet.lenders import Lenders
from keeper.devnet.perp import PerpDeployer
from keeper.devnet.trading import Trading


class World(Crowd, Hostile, Trading, Lenders, PerpDeployer):
    """Everything in one hand."""

    def stop(self) -> None:
        self.anvil.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
