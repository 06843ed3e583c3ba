"""``keeper bench --json | python -m keeper.bench._readme README.md``: the figures as a table between two markers.

``python -m keeper.bench._readme README.md events`` does the same for the events of the log.

Law: only what stands between the markers is replaced.
"""

import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from keeper.log_events import schema

BEGIN: Final = "<!-- benchmarks: written by `make bench` -->"
END: Final = "<!-- end of benchmarks -->"
EVENTS: Final = ("<!-- events: written by `make events` -->", "<!-- end of events -->")


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Figures as markdown, with the machine they were seen on."""
    rows = [
        f"| {record['benchmark']} | {figure.replace('_', ' ')} | {value} |"
        for record in records
        for figure, value in record.items()
        if figure != "benchmark"
    ]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    return "\n".join(["| benchmark | figure | value |", "|---|---|---:|", *rows, "", f"Seen on: {machine}."])


def events() -> str:
    """Every event of the log as markdown."""
    rows = [
        f"| `{name}` | {event.says} | {', '.join(f'`{field}`' for field in (*event.fields, *event.optional))} |"
        for name, event in schema().items()
    ]
    return "\n".join(["", "| event | says | fields of its own |", "|---|---|---|", *rows, ""])


def written(text: str, figures: str, begin: str = BEGIN, end: str = END) -> str:
    """The document with another table."""
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    replaced, times = re.subn(pattern, lambda _: f"{begin}\n{figures}\n{end}", text, flags=re.DOTALL)
    if times != 1:
        raise SystemExit(f"expected the markers {begin} and {end} once, found them {times} times")
    return replaced


def main(path: Path, what: str = "figures") -> None:
    """Figures from stdin, or the schema's events, into a document."""
    if what == "events":
        path.write_text(written(path.read_text(encoding="utf-8"), events(), *EVENTS), encoding="utf-8")
        return
    records = [msgspec.json.decode(line, type=dict[str, Any]) for line in sys.stdin if line.strip()]
    path.write_text(written(path.read_text(encoding="utf-8"), table(records)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
