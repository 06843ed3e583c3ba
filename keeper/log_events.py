"""The schema of the log: ``log_events.toml``, and what is wrong with a line that does not keep to it.

Law: this is the only reader of the schema. Tests of any part hold the lines they caused against ``problems``.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

COMMON: Final = {"ts": "time", "level": "level", "event": "text", "run_id": "text"}
CONTEXT: Final = {
    "chain_id": "int",
    "block": "int",
    "account": "account",
    "opportunity_id": "text",
    "reason": "text",
    "exception": "text",
}

_PATTERNS: Final = {
    "int": r"-?\d+",
    "address": r"0x[0-9a-f]{40}",
    "account": r"0x[0-9a-f]{40}(:\S+)?",  # with the isolated pocket it is in
    "hash": r"0x[0-9a-f]{64}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "level": "debug|info|warning|error|critical",
    "text": r"(?s:.*)",
}
_CLASSES: Final = {"float": (float,), "bool": (bool,), "list": (list,), "table": (dict,)}
TYPES: Final = frozenset(_PATTERNS) | frozenset(_CLASSES)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what it says and the types of its own fields."""

    says: str
    fields: Mapping[str, str]
    optional: Mapping[str, str]


@cache
def schema() -> Mapping[str, Event]:
    """Every event by name."""
    tables = tomllib.loads(files("keeper").joinpath("log_events.toml").read_text(encoding="utf-8"))
    return {
        f"{group}.{name}": Event(event["says"], event["fields"], event.get("optional", {}))
        for group, events in tables.items()
        for name, event in events.items()
    }


def problems(line: Mapping[str, object]) -> list[str]:
    """What is wrong with a decoded line of the log; nothing, if it keeps to the schema."""
    event = schema().get(str(line.get("event")))
    if event is None:
        return [f"unknown event {line.get('event')!r}"]
    required = COMMON | dict(event.fields)
    known = required | CONTEXT | dict(event.optional)
    missing = [f"{line['event']}: {name} is missing" for name in required if name not in line]
    return missing + [said for name, value in line.items() if (said := _complaint(line, name, value, known.get(name)))]


def _complaint(line: Mapping[str, object], name: str, value: object, kind: str | None) -> str:
    if kind is None:
        return f"{line['event']}: {name} is not in the schema"
    return "" if _fits(value, kind) else f"{line['event']}: {name} = {value!r} is not {kind}"


def _fits(value: object, kind: str) -> bool:
    if kind in _CLASSES:
        return isinstance(value, _CLASSES[kind])
    return isinstance(value, str) and re.fullmatch(_PATTERNS[kind], value) is not None
