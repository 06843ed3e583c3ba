"""Where a setting comes from: a TOML file, secret files, the environment, command-line flags; later ones win.

Law: every value keeps its origin, so that whoever complains about it can name the file and line, the variable, the
secret file or the flag. All of them address the same keys: ``chain.id`` is ``KEEPER_CHAIN__ID``, ``--chain.id``, and a
file ``keeper_chain__id`` in the secrets folder. A number in a path is a place in a list: ``markets.0.address``.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from keeper.errors import ConfigError

PREFIX: Final = "KEEPER_"
NOT_KEYS: Final = ("KEEPER_CONFIG", "KEEPER_SECRETS", "KEEPER_CACHE", "KEEPER_TEST_")  # where to look, not what is set
FLAG: Final = re.compile(r"--(?P<key>[a-z_]+(?:\.[a-z0-9_]+)+)(?:=(?P<value>.*))?", re.DOTALL)
FROM_FOLDER: Final = "secret file "  # how an origin begins that is one

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_ASSIGNMENT: Final = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")

Part = str | int
KeyPath = tuple[Part, ...]


def dotted(path: KeyPath) -> str:
    """The key as people write it."""
    return ".".join(map(str, path))


@dataclass(frozen=True, slots=True)
class Given:
    """One value from outside the file."""

    path: KeyPath
    value: str
    origin: str


@dataclass(slots=True)
class Tree:
    """The merged values, and where each came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def put(self, given: Given) -> None:
        """Set one value over what is there, or raise ``ConfigError``: the path leads through a value or past a list."""
        node: Any = self.values
        for at, (part, following) in enumerate(zip(given.path, (*given.path[1:], None), strict=True)):
            node = _slot(node, part, following, given, at)
        for known in [known for known in self.origins if known[: len(given.path)] == given.path]:
            del self.origins[known]
        self.origins[given.path] = given.origin

    def origin(self, path: KeyPath) -> str:
        """Where the value at this path, or the nearest thing around it, comes from; empty when from nowhere."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return ""

    def inside(self, path: KeyPath) -> list[str]:
        """Where the values below this path come from."""
        return [origin for known, origin in self.origins.items() if known[: len(path)] == path]


def _slot(node: Any, part: Part, following: Part | None, given: Given, at: int) -> Any:  # noqa: ANN401 - TOML's values
    """Make room for the path's part in its parent, and step into it; the last part takes the value."""
    fresh: Any = given.value if following is None else [] if isinstance(following, int) else {}
    if isinstance(node, dict) and isinstance(part, str):
        if following is None or part not in node:
            node[part] = fresh
    elif isinstance(node, list) and isinstance(part, int) and part <= len(node):
        if part == len(node):
            node.append(fresh)
        elif following is None:
            node[part] = fresh
    else:
        where = dotted(given.path[:at])
        raise ConfigError(f"{given.origin}: {dotted(given.path)} leads nowhere: {where} has no {part!r}")
    return node[part]


def from_toml(file: Path) -> Tree:
    """A TOML file, with the line of every key in it."""
    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    return Tree(values, {path: f"{file}:{line}" for path, line in _lines(text)})


def from_environment(environ: Mapping[str, str]) -> list[Given]:
    """Variables ``KEEPER_SECTION__KEY``."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and not name.startswith(NOT_KEYS))
    return [Given(_path(name[len(PREFIX) :], "__"), environ[name], f"environment {name}") for name in names]


def from_secrets(folder: Path) -> list[Given]:
    """Files ``keeper_section__key``, each with one value. Other files of the folder are none of our business."""
    try:
        files = sorted(file for file in folder.iterdir() if file.name.lower().startswith(PREFIX.lower()))
        return [Given(_path(file.name[len(PREFIX) :], "__"), read(file), f"{FROM_FOLDER}{file}") for file in files]
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error


def from_flags(flags: Sequence[tuple[str, str]]) -> list[Given]:
    """Flags ``--section.key VALUE``."""
    return [Given(_path(key, "."), value, f"flag --{key}") for key, value in flags]


def read(file: Path) -> str:
    """A small file's text, without the newline that editors put at its end."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not text") from error


def _path(name: str, separator: str) -> KeyPath:
    parts = name.lower().split(separator)
    return tuple(int(part) if part.isascii() and part.isdecimal() else part for part in parts)


def _lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """The line of each table and key. A key inside a multi-line value has the line of what holds it."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _keys(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            yield (*table, *_keys(assignment[1])), number


def _keys(text: str) -> KeyPath:
    return tuple(key.strip().strip("\"'") for key in text.split("."))
