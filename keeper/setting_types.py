"""The kinds of values a configuration holds, and how they are written.

Law: a value that is accepted needs no further check of its form; a message says what is allowed, not what went wrong.
"""

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

from eth_utils.address import is_checksum_address
from pydantic import AfterValidator, BeforeValidator, Field

from keeper.core.units import ZERO_ADDRESS, Address, Bps, Wei

UNITS: Final = {"wei": 0, "gwei": 9, "ether": 18}


def _address(text: str) -> Address:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ValueError("an address is 0x and 40 hex digits")
    if text not in (text.lower(), "0x" + text[2:].upper()) and not is_checksum_address(text):
        raise ValueError("the address has a wrong checksum: a digit is mistyped")
    if (address := Address(text.lower())) == ZERO_ADDRESS:
        raise ValueError("the zero address is nobody's")
    return address


def _wei(value: object) -> object:
    """Whole wei, or an exact amount with its unit: ``"0.05 ether"``, ``"2 gwei"``."""
    if not isinstance(value, str) or re.fullmatch(r"\s*-?\d+\s*", value, re.ASCII):
        return value
    number, _, unit = value.strip().partition(" ")
    if not re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII) or unit.strip().lower() not in UNITS:
        raise ValueError('an amount is whole wei, or like "0.05 ether" or "2 gwei"')
    wei = Fraction(number) * 10 ** UNITS[unit.strip().lower()]
    if wei.denominator != 1:
        raise ValueError("an amount has no fractions of a wei")
    return int(wei)


def _items(value: object) -> object:
    """A list as itself; from a variable, file or flag: JSON, or items between commas or lines."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in re.split(r"[,\n]", value) if item.strip()]


def _url(*schemes: str) -> AfterValidator:
    def checked(text: str) -> str:
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in schemes or not rest.strip("/") or any(map(str.isspace, text)):
            raise ValueError(f"a URL that begins with {' or '.join(f'{name}://' for name in schemes)}")
        return text

    return AfterValidator(checked)


def _like(pattern: str, allowed: str) -> AfterValidator:
    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(allowed)
        return text

    return AfterValidator(checked)


AnAddress = Annotated[Address, AfterValidator(_address)]
AnAmount = Annotated[Wei, BeforeValidator(_wei), Field(ge=0)]
Share = Annotated[Bps, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
HttpUrl = Annotated[str, _url("http", "https")]
SocketUrl = Annotated[str, _url("ws", "wss")]
AFile = Annotated[Path, AfterValidator(Path.expanduser)]
AName = Annotated[str, _like(r"[a-z][a-z0-9_]*", "a name in lower-case letters, digits and underscores")]
AVariable = Annotated[str, _like(r"[A-Za-z_]\w{0,62}", "the name of a variable, not what it holds")]
AHash = Annotated[str, _like(r"0x[0-9a-f]{64}", "0x and 64 lower-case hex digits")]
SomeHours = Annotated[
    str, _like(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", 'hours of a day, like "22:00-07:00"')
]
Items = BeforeValidator(_items)
