"""What a person or a script asked for, on stdout; everything else is a log, on stderr.

Law: ``--json`` is one object a line and nothing else; integers are decimal strings, because a JSON number stops
being exact at 2**53 and money does not.
"""

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum

import msgspec


def decimal(value: object) -> object:
    """The value with every integer inside it as a decimal string; bytes become 0x-hex, an enum its value."""
    plain = value.value if isinstance(value, Enum) else value
    match plain:
        case bool() | float() | str() | None:
            return plain
        case bytes():
            return "0x" + plain.hex()
        case Mapping():
            return {str(key): decimal(item) for key, item in plain.items()}
        case Sequence() | AbstractSet():
            return [decimal(item) for item in plain]
    return str(plain)


def emit(record: Mapping[str, object]) -> None:
    """Write one object as one line of JSON to stdout."""
    sys.stdout.write(msgspec.json.encode(decimal(record)).decode() + "\n")
