"""View calls with static arguments, and what their answers mean.

Law: an answer that is too short is a contract that does not have the function: it counts as a revert, never as zero.
"""

from keeper.core.events import Read, word, word_address
from keeper.core.ports import Answers
from keeper.core.units import ZERO_ADDRESS, Address


def view_call(to: Address, selector: str, *arguments: Address | int) -> Read:
    """A view call by its 0x-prefixed selector."""
    words = (f"{argument:064x}" if isinstance(argument, int) else f"{argument[2:]:0>64}" for argument in arguments)
    return Read(to, selector + "".join(words))


def size(answer: str | None) -> int:
    """How many words were answered; 0 for a revert and for an address without code."""
    return 0 if answer is None else (len(answer) - 2) // 64


def integer(answers: Answers, read: Read, at: int = 0) -> int | None:
    """One word of an answer as an integer; ``None`` when the call reverted or does not exist."""
    answer = answers[read]
    return word(answer, at) if size(answer) > at else None


def address(answers: Answers, read: Read) -> Address:
    """An answer as an address; the zero address when the call reverted or does not exist."""
    answer = answers[read]
    return word_address(answer, 0) if size(answer) else ZERO_ADDRESS


def integers(answers: Answers, read: Read) -> list[int] | None:
    """A returned dynamic array; ``None`` when the call reverted."""
    answer = answers[read]
    if size(answer) < 2:  # noqa: PLR2004 - offset and length
        return None
    return [word(answer, 2 + i) for i in range(word(answer, 1))]


def addresses(answers: Answers, read: Read) -> list[Address] | None:
    """A returned array of addresses; ``None`` when the call reverted."""
    values = integers(answers, read)
    return None if values is None else [Address(f"0x{value:040x}") for value in values]
