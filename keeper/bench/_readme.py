"""``keeper bench --json | python -m keeper.bench._readme README.md``: the figures as a table between two markers.

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

BEGIN: Final = "<!-- benchmarks: written by `make bench` -->"
END: Final = "<!-- end of benchmarks -->"


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


def written(text: str, figures: str) -> str:
    """The document with other figures."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    replaced, times = re.subn(pattern, lambda _: f"{BEGIN}\n{figures}\n{END}", text, flags=re.DOTALL)
    if times != 1:
        raise SystemExit(f"expected the markers {BEGIN} and {END} once, found them {times} times")
    return replaced


def main(path: Path) -> None:
    """Figures from stdin into a document."""
    records = [msgspec.json.decode(line, type=dict[str, Any]) for line in sys.stdin if line.strip()]
    path.write_text(written(path.read_text(encoding="utf-8"), table(records)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
