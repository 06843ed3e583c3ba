"""Several inquiries at once, and rings of observations read backwards.

Law: inquiries that do not need each other's answers share their rounds, so that a block costs few of them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from keeper.core.calls import size
from keeper.core.events import Read
from keeper.core.ports import Ask, Inquiry, InquiryOf

CHUNK: Final = 32  # observations read in one round


def together(inquiries: Iterable[Inquiry]) -> Inquiry:
    """Drive all to their ends; each round asks what any of them asks."""
    running: list[tuple[Inquiry, Sequence[Ask]]] = []
    for inquiry in inquiries:
        try:
            running.append((inquiry, next(inquiry)))
        except StopIteration:
            continue
    while running:
        answers = yield [ask for _, asks in running for ask in asks]
        following: list[tuple[Inquiry, Sequence[Ask]]] = []
        for inquiry, _ in running:
            try:
                following.append((inquiry, inquiry.send(answers)))
            except StopIteration:
                continue
        running = following


def ring(
    read_at: Callable[[int], Read], newest: int, length: int, enough: Callable[[str], bool]
) -> InquiryOf[list[str]]:
    """Entries of a ring from the newest backwards, up to and with the first that is enough, or all there are."""
    found: list[str] = []
    while len(found) < length:
        places = [(newest - len(found) - i) % length for i in range(min(CHUNK, length - len(found)))]
        reads = [read_at(place) for place in places]
        answers = yield reads
        for read in reads:
            answer = answers[read]
            if not size(answer) or not int(answer, 16):  # nothing was ever written there
                return found
            found.append(answer)
            if enough(answer):
                return found
    return found
