"""Accounts by the number of their columns: codes and amounts, one array a place, so that a loop reads what it needs.

Laws
- An account is in one group at most; ``place`` knows where. Slots below ``count`` are in use, without gaps.
- Where all accounts of a block have the same code in a place, ``uniform`` may say so; it never says so falsely.
- Amounts are rounded towards ruin (law 1 of the kernels).
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from keeper.screen.kernels import BLOCK, MIXED, Amounts, Codes, Floats, Rows, sweep

WIDEST: Final = 255  # columns an account may have
_RUIN: Final = 2.0**-23
_LARGEST: Final = float(np.finfo(np.float32).max)
_ROOM: Final = 8  # a full group grows by an eighth


def towards_ruin(amounts: Floats) -> Amounts:
    """Exact amounts, or what is within 2^-50 of them, as float32 that bound them from below."""
    with np.errstate(over="ignore"):  # a debt may become infinite
        return np.minimum(amounts - np.abs(amounts) * _RUIN, _LARGEST).astype(np.float32)


class Places(Protocol):
    """Where a row is: slot << 8 | width; 0 for nowhere."""

    def __getitem__(self, row: int, /) -> int: ...
    def __setitem__(self, row: int, place: int, /) -> None: ...


class Dense:
    """Places of all rows of a book."""

    def __init__(self, places: bytes = b"") -> None:
        self.of = array("Q", places)

    def __getitem__(self, row: int) -> int:
        return self.of[row] if row < len(self.of) else 0

    def __setitem__(self, row: int, place: int) -> None:
        if row >= len(self.of):
            self.of.frombytes(bytes(8 * (row + 1 - len(self.of))))
        self.of[row] = place


class Sparse(dict[int, int]):
    """Places of a few rows."""

    def __missing__(self, row: int) -> int:
        return 0


class Group:
    """Accounts with the same number of columns."""

    def __init__(self, width: int, room: int = BLOCK) -> None:
        self.width = width
        self.count = 0
        self._allocate(-(-room // BLOCK) * BLOCK)

    def _allocate(self, room: int) -> None:
        self.codes: Codes = np.zeros((self.width, room), np.uint16)
        self.amounts: Amounts = np.zeros((self.width, room), np.float32)
        self.uniform: Codes = np.full((self.width, room // BLOCK), MIXED, np.uint16)
        self.rows: Rows = np.zeros(room, np.uint32)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.amounts.nbytes + self.uniform.nbytes + self.rows.nbytes

    def grow(self) -> None:
        """Go on in larger arrays. The old ones stay as they are: watch lists may be being made of them."""
        codes, amounts, uniform, rows = self.codes, self.amounts, self.uniform, self.rows
        self._allocate(len(rows) + max(BLOCK, len(rows) // _ROOM // BLOCK * BLOCK))
        self.codes[:, : len(rows)] = codes
        self.amounts[:, : len(rows)] = amounts
        self.uniform[:, : uniform.shape[1]] = uniform
        self.rows[: len(rows)] = rows

    def append(self, row: int, codes: Sequence[int], amounts: Amounts) -> int:
        """The new account's slot."""
        slot = self.count
        if slot == len(self.rows):
            self.grow()
        if slot % BLOCK == 0:
            self.uniform[:, slot // BLOCK] = codes
        self.count += 1
        self.rows[slot] = row
        self.write(slot, codes, amounts)
        return slot

    def write(self, slot: int, codes: Sequence[int] | Codes, amounts: Amounts) -> None:
        """Replace an account's columns."""
        self.codes[:, slot] = codes
        self.amounts[:, slot] = amounts
        block = self.uniform[:, slot // BLOCK]
        block[block != self.codes[:, slot]] = MIXED

    def remove(self, slot: int) -> int | None:
        """Fill a slot with the last account, and say who that was, if it was another."""
        self.count -= 1
        last = self.count
        if slot == last:
            return None
        self.rows[slot] = self.rows[last]
        self.write(slot, self.codes[:, last], self.amounts[:, last])
        return int(self.rows[slot])

    def fill(self, rows: Rows, codes: Codes, amounts: Amounts) -> None:
        """Become these accounts, alike ones side by side."""
        order = np.lexsort(codes[::-1])
        self.count = count = len(rows)
        self.rows[:count] = rows[order]
        self.codes[:, :count] = codes[:, order]
        self.amounts[:, :count] = amounts[:, order]
        starts = np.arange(0, count, BLOCK)
        low = np.minimum.reduceat(self.codes[:, :count], starts, axis=1)
        high = np.maximum.reduceat(self.codes[:, :count], starts, axis=1)
        self.uniform[:, : len(starts)] = np.where(low == high, low, MIXED)


class Groups:
    """All groups of a screen, or of what changed in it."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.of: dict[int, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self.of.values())

    def __len__(self) -> int:
        return sum(group.count for group in self)

    def put(self, row: int, codes: Sequence[int], amounts: Amounts) -> int | None:
        """Place an account that has columns; the row that had to move for it, if one did."""
        width = len(codes)
        place = self.places[row]
        if place & 0xFF == width:
            self.of[width].write(place >> 8, codes, amounts)
            return None
        moved = self.drop(row)
        group = self.of.get(width)
        if group is None:
            group = self.of[width] = Group(width)
        self.places[row] = group.append(row, codes, amounts) << 8 | width
        return moved

    def drop(self, row: int) -> int | None:
        """Forget an account; the row that moved into its slot, if one did."""
        place = self.places[row]
        if not place:
            return None
        self.places[row] = 0
        moved = self.of[place & 0xFF].remove(place >> 8)
        if moved is not None:
            self.places[moved] = place
        return moved

    def read(self, row: int) -> tuple[Codes, Amounts] | None:
        """What an account is stored as."""
        place = self.places[row]
        if not place:
            return None
        group, slot = self.of[place & 0xFF], place >> 8
        return group.codes[:, slot].copy(), group.amounts[:, slot].copy()

    def sweep(self, weights: Floats, slack: float, out: Rows, found: int = 0) -> int:
        """Append every flagged row to ``out``; how many there would be, were it long enough."""
        for group in self:
            found = sweep(
                group.codes, group.amounts, group.uniform, group.rows, group.count, weights, slack * group.width,
                out, found,
            )  # fmt: skip
        return found
