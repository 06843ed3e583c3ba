"""What must never be read by another: keys, credentials, raw transactions.

Law: a secret is masked by what it is (a value registered with ``hide``), by where it stands (a field with a telling
name, the credentials in a URL) and by its shape (hex longer than a hash: calldata, signatures, raw transactions).
Any one of the three is enough.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

MASK: Final = "***"
_LONGEST_TEXT: Final = 2_000  # a node's HTML error page is not a log line
_SHORTEST_SECRET: Final = 6  # masking shorter ones would shred the line and hide nothing

_SECRET_NAME: Final = re.compile(
    r"(^|_)(private_?key|secret(_?key)?|secrets|password|passphrase|mnemonic|api_?key|auth|authorization|credentials?"
    r"|raw|raw_?tx|raw_?txs|raw_?transactions?|signed_?tx|signature)$",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"\b(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^\s\"'<>|\\^`{}]+)", re.IGNORECASE)
_KEY_LIKE: Final = re.compile(r"(?=[\w~-]*\d)(?=[\w~-]*[A-Za-z])[\w~-]{20,}")
_ADDRESS_LIKE: Final = re.compile(r"0x[0-9a-fA-F]{0,42}")
_LONG_HEX: Final = re.compile(  # without 0x it must hold a letter: max uint256 in decimal is longer than a hash too
    r"(?<![0-9a-zA-Z])(?P<prefix>0x|(?=[0-9]*[a-fA-F]))(?P<digits>[0-9a-fA-F]{65,})"
)
_hidden: set[str] = set()


def hide(secret: str) -> None:
    """From now on this value is masked wherever it appears."""
    bare = secret.removeprefix("0x")
    if len(bare) >= _SHORTEST_SECRET:
        _hidden.update((bare, bare.lower(), bare.upper()))


def url_secrets(url: str) -> tuple[str, ...]:
    """The parts of a URL that look like credentials: user and password, key-like labels and segments, query values."""
    match = _URL.fullmatch(url)
    return tuple(text for text, secret in _url_parts(match) if secret) if match else ()


def is_secret_name(name: str) -> bool:
    """Whether whatever stands under this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(value: object, name: str = "") -> object:
    """The value as it may be logged under that name. Takes what ``output.decimal`` gives."""
    match value:
        case dict():
            return {key: redact(item, key) for key, item in value.items()}
        case list():
            return [redact(item, name) for item in value]
        case None | bool() | float():
            return value
        case _:
            return MASK if is_secret_name(name) else redact_text(str(value))


def redact_text(text: str) -> str:
    """The text without anything secret in it, and no longer than a log line may be."""
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _LONG_HEX.sub(_shortened, _URL.sub(_masked_url, text))
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]} … ({len(text)} characters) … {text[-half:]}"


def redact_refused(text: str) -> str:
    """What was refused, as it may be shown: whatever in it is like a key may be one in the wrong place."""
    return _KEY_LIKE.sub(lambda match: match[0] if _ADDRESS_LIKE.fullmatch(match[0]) else MASK, redact_text(text))


def redact_event(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, object]:
    """``redact`` as a step of structlog's chain."""
    return {key: redact(value, key) for key, value in event.items()}


def _masked_url(match: re.Match[str]) -> str:
    return "".join(MASK if secret else text for text, secret in _url_parts(match))


def _url_parts(match: re.Match[str]) -> Iterator[tuple[str, bool]]:
    """The URL cut into parts, in order, each with whether it is a credential."""
    yield match["scheme"] + "://", False
    where, asks, query = match["rest"].partition("?")
    user, at, place = where.rpartition("@")
    for text in re.split("(:)", user):
        yield text, text not in ("", ":")
    yield at, False
    for text in re.split("([/.:#])", place):
        yield text, _KEY_LIKE.fullmatch(text) is not None
    yield asks, False
    for pair in re.split("([&#])", query):
        key, equals, value = pair.rpartition("=")
        yield key + equals, False
        yield value, value not in ("", "&", "#")


def _shortened(match: re.Match[str]) -> str:
    digits = match["digits"]
    return f"{match['prefix']}{digits[:8]}…({len(digits) // 2} bytes)"
