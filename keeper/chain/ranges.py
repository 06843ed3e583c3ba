"""How to cut an ``eth_getLogs`` question so that an endpoint takes it. Pure: texts and numbers in, decisions out.

Law: the pieces always cover each (block, address) of the question exactly once, and every refusal makes the next piece
strictly smaller, so the work ends: in answers, or at one block and one address that is still refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

FIRST_WIDTH: Final = 2_000  # blocks asked of an endpoint that nothing is known about
MAX_WIDTH: Final = 1_000_000
FEW_LOGS: Final = 2_500  # an answer up to this size lets the width double: the next stays under the usual 10,000
MANY_LOGS: Final = 5_000  # an answer beyond this size halves it


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint's refusal says. ``blocks``: a width it named. ``cap``: no wider range is ever taken."""

    blocks: int | None = None
    cap: bool = False


_SUGGESTED: Final = re.compile(
    r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]|range (\d+)\s*-\s*(\d+)"
)  # "this block range should work: [0x2710, 0x2903]", "retry with the range 100-199"
_N: Final = r"(?P<n>\d[\d,]*)\s*(?P<k>k?)\b"
_CAPS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"range \d+ (?:exceeds limit of|is bigger than range limit) {_N}",
        rf"max(?:imum)? (?:\[from, to\] blocks distance|(?:allowed )?(?:block )?range|number of blocks)\D{{0,16}}{_N}",
        rf"(?:maximum is set to|max is|limited to(?: 0 -)?(?: a)?|up to a?|over|more than|greater than) {_N} ?blocks?",
        rf"(?:limited to(?: 0 -)?(?: a)?|up to a?) {_N} (?:block )?range",
        rf"(?:maximum is set to|narrow your filter:|block range (?:greater|larger|wider|more) than) {_N}",
    )
)
_TOO_WIDE: Final = re.compile(
    r"block range|blocks distance|range (?:is )?too (?:large|wide|big)|too many blocks|exceeds? (?:max\w* )?range"
    r"|range (?:\d+ )?exceeds|range \d+ is bigger|ranges? over|narrow your filter|blocks? range|max range"
    r"|limited to a [\d,]+k? range"
)
_TOO_MANY: Final = re.compile(
    r"returned more than|more than \d+ (?:results|logs)|too many (?:results|logs)|exceeds? max(?:imum)? results"
    r"|(?:response|result) (?:size|is|set|too)[^.]{0,24}(?:exceed|too (?:large|big)|greater)|response too large"
    r"|size exceeded|logs matched by query exceeds|query timeout|query took too long|try (?:with )?(?:a )?smaller"
    r"|exceed max (?:addresses|topics)|request entity too large|timeout exceeded"
)


def refusal(text: str) -> Refusal | None:
    """Read a provider's error text. None: it does not speak of the size of the question."""
    text = text.lower()
    too_many, too_wide = _TOO_MANY.search(text), _TOO_WIDE.search(text)
    if not (too_many or too_wide):
        return None
    if suggestion := _SUGGESTED.search(text):
        first, last = (int(edge, 0) for edge in suggestion.groups() if edge)
        if last >= first:
            return Refusal(last - first + 1, cap=not too_many)
    if too_many:
        return Refusal()
    named = next((match for pattern in _CAPS if (match := pattern.search(text))), None)
    if named is None:
        return Refusal(cap=True)
    blocks = int(named["n"].replace(",", "")) * (1_000 if named["k"] else 1)
    return Refusal(blocks or None, cap=True)


@dataclass(frozen=True, slots=True)
class Width:
    """How many blocks one endpoint takes at once, as learned so far. ``cap`` is the widest that was not refused."""

    now: int = FIRST_WIDTH
    cap: int = MAX_WIDTH

    def accepted(self, asked: int, logs: int) -> "Width":
        """Grow toward the cap after a small answer, shrink after a big one."""
        if logs > MANY_LOGS:
            return replace(self, now=max(1, asked // 2))
        if logs > FEW_LOGS or asked < self.now:
            return self
        nearer = self.now + max(1, (self.cap - self.now + 1) // 2)  # a cap that was learned is approached by halves
        return replace(self, now=min(self.now * 2, nearer, self.cap))

    def refused(self, asked: int, said: Refusal) -> "Width":
        """Always narrower than what was asked, down to one block."""
        below = max(1, asked - 1)
        now = min(said.blocks, below) if said.blocks else max(1, asked // 2)
        if not said.cap:
            return replace(self, now=now)
        cap = max(1, min(self.cap, said.blocks if said.blocks and said.blocks < asked else below))
        return Width(now=min(now, cap), cap=cap)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the question: blocks ``first..last`` inclusive, addresses ``lo..hi`` exclusive."""

    first: int
    last: int
    lo: int
    hi: int

    @property
    def width(self) -> int:
        return self.last - self.first + 1

    def cut(self, width: int) -> Iterator["Piece"]:
        """The first ``width`` blocks, then the rest if there is one."""
        edge = min(self.last, self.first + max(1, width) - 1)
        yield replace(self, last=edge)
        if edge < self.last:
            yield replace(self, first=edge + 1)

    def without(self, done: "Piece") -> tuple["Piece", ...]:
        """What is left after the front was done: the other addresses of its blocks, then the blocks behind."""
        others = (replace(done, lo=done.hi, hi=self.hi),) if done.hi < self.hi else ()
        behind = (replace(self, first=done.last + 1),) if done.last < self.last else ()
        return others + behind

    def halves(self) -> tuple["Piece", ...]:
        """Two smaller pieces with the same content: by blocks, else by addresses. Empty: it cannot be smaller."""
        if self.width > 1:
            return tuple(self.cut(self.width // 2))
        if self.hi - self.lo > 1:
            middle = (self.lo + self.hi) // 2
            return replace(self, hi=middle), replace(self, lo=middle)
        return ()
