"""What a server's answer means.

Law: only a refusal that was understood is a rejection. Silence, a broken server and anything unreadable are *unknown*:
the bytes may have been taken. An acceptance says that the bytes were taken, never that they will land. No answer is
quoted without its long hex strings, because relays echo transactions.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from keeper.core.submissions import AckStatus

DETAIL: Final = 200  # characters of an answer worth keeping
LONG_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{65,}")
KNOWN: Final = ("already known", "already imported", "alreadyknown", "already exists", "known transaction")


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, read."""

    status: AckStatus
    remote_id: str | None
    detail: str


def read(http: int, body: bytes) -> Verdict:
    """The meaning of an HTTP answer to a submission."""
    text = readable(body)
    if http >= HTTPStatus.INTERNAL_SERVER_ERROR or http == HTTPStatus.REQUEST_TIMEOUT:
        return Verdict(AckStatus.UNKNOWN, None, f"HTTP {http}: {text}")
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if isinstance(answer, dict) and answer.get("error") is not None:
        return _refused(http, answer["error"])
    if http != HTTPStatus.OK:
        return Verdict(AckStatus.REJECTED, None, f"HTTP {http}: {text}")
    if isinstance(answer, dict) and answer.keys() & {"result", "error"}:  # both null is Titan's way to say yes
        return Verdict(AckStatus.ACCEPTED, _remote_id(answer.get("result")), "")
    if isinstance(answer, str) and answer.startswith("0x"):
        return Verdict(AckStatus.ACCEPTED, _remote_id(answer), "")
    return Verdict(AckStatus.UNKNOWN, None, f"unreadable: {text}")


def readable(body: bytes | str) -> str:
    """At most a line of an answer, without anything long enough to be a transaction or a key."""
    text = body[: 4 * DETAIL].decode(errors="replace") if isinstance(body, bytes) else body
    return " ".join(LONG_HEX.sub("0x…", text).split())[:DETAIL]


def _refused(http: int, error: object) -> Verdict:
    code, message = "", error
    if isinstance(error, dict):
        code, message = f"{error.get('code', '')} ", error.get("message", error)
    detail = readable(f"HTTP {http}: {code}{message}")
    if any(word in str(message).lower() for word in KNOWN):  # sent before: a duplicate of our own
        return Verdict(AckStatus.ACCEPTED, None, detail)
    return Verdict(AckStatus.REJECTED, None, detail)


def _remote_id(result: object) -> str | None:
    if isinstance(result, dict):
        result = result.get("bundleHash")
    return readable(result) if isinstance(result, str) else None
