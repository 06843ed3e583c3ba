"""Shocks as they are typed, as factors on prices."""

from collections.abc import Mapping, Sequence
from typing import Final

from keeper.core.units import Address
from keeper.reports.snapshot import Snapshot

DEFAULT: Final = (("ALL", 0.9),)


def shocked(snap: Snapshot, shocks: Sequence[tuple[str, float]]) -> Mapping[Address, float]:
    """Factors by asset; later ones replace earlier ones. ALL: everything that is not pegged."""
    found: dict[Address, float] = {}
    for name, factor in shocks or DEFAULT:
        for asset in sorted(snap.loose) if name == "ALL" else [snap.find(name)]:
            found[asset] = factor
    return found
