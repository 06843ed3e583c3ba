"""What became of urns and auctions, from the market's own logs.

A purchase does not say who bought: the vat's note just before says who paid. What starts or resets an auction is paid
for: nothing is repaid, and dai are received.
"""

from collections.abc import Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.events import Log, topic_address
from keeper.core.outlook import Liquidated
from keeper.core.units import RAY, ZERO_ADDRESS, Address, div_up
from keeper.protocols.maker_clip import decode, topics
from keeper.protocols.maker_clip import events as e
from keeper.protocols.maker_clip.facts import sale_account, urn_account

_WAD_DECIMALS: Final = 18


def outcomes(book: Book, logs: Sequence[Log]) -> list[Liquidated]:
    """Barks, resets and purchases, in order."""
    found: list[Liquidated] = []
    payer = ZERO_ADDRESS
    parts, clips = book.fact("market"), book.facts("clip")
    for log in logs:
        if log.address == parts.vat and log.topics and log.topics[0] == topics.MOVE:
            payer = topic_address(log.topics[1])
        if log.address in clips:
            found += [told for event in decode.of_clip(log) if (told := _told(book, log, event, payer))]
    return found


def _told(book: Book, log: Log, event: e.Event, payer: Address) -> Liquidated | None:
    dai, ilk = book.fact("market").dai, book.fact("clip", log.address)
    match event:
        case e.Started():
            began = log.topics[0] == topics.KICK
            account = urn_account(event.usr, ilk) if began else sale_account(event.clip, event.number)
            coin = event.coin // RAY
            return Liquidated(account, dai, dai, 0, coin, event.kpr, log.transaction_hash, log.block)
        case e.Bought():
            token = book.fact("token", ilk)
            wad = event.owe // event.price if event.price else 0
            seized, gem = (wad // 10 ** (_WAD_DECIMALS - token.decimals), token.gem) if token else (0, ZERO_ADDRESS)
            account, paid = sale_account(event.clip, event.number), div_up(event.owe, RAY)
            return Liquidated(account, gem, dai, paid, seized, payer, log.transaction_hash, log.block)
    return None
