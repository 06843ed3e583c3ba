"""The reports there are and the options each of them takes.

Law: an option that a report does not use is refused, not ignored. Nothing heavy is imported here: the command line
reads this page at every start.
"""

import argparse
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keeper.errors import ConfigError

REPORTS: Final[Mapping[str, str]] = {
    "ladder": "what becomes liquidatable at each price",
    "cascade": "a shock, its liquidations, their sales, and what those do",
    "stress": "many price paths: value at risk, liquidations at risk, coverage, drain",
    "eta": "who is next, and when",
    "exposure": "who is long, short or geared, and how concentrated it is",
    "costs": "what selling costs by size, and how much can be sold at a bonus",
    "capacity": "how many liquidations fit into blocks, signers and a gas budget",
    "hedge": "inventory at risk, and hedge intents",
    "greeks": "distance to liquidation of accounts, or a what-if book of options",
    "exploits": "patterns of known exploits in the last blocks, and the cost of moving prices",
    "missed": "every liquidation in a range of blocks: ours, or why not",
    "replay": "a recording through the pipeline, against the actual winners",
    "toxicity": "accounts whose liquidation makes them worse, and likely bad debt",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is read, and by which reports."""

    flag: str
    reports: frozenset[str]
    help: str
    read: Callable[[str], Any]
    metavar: str
    default: Any = None
    many: bool = False

    @property
    def key(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")


def natural(text: str) -> int:
    """A whole number."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def share(text: str) -> float:
    """A percentage: 20% or 0.5%."""
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)%", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    return float(match[1]) / 100


def shock(text: str) -> tuple[str, float]:
    """SYM=-20%, and ALL for everything that is not pegged to the base currency."""
    name, sign, change = text.partition("=")
    if not sign or not name or share(change) <= -1:
        raise ValueError(text)
    return name, 1 + share(change)


natural.__name__, share.__name__, shock.__name__ = "whole number", "percentage (20%)", "shock (SYM=-20%)"

OPTIONS: Final = (
    Option(
        "--limit",
        frozenset({"eta", "exposure", "toxicity", "greeks"}),
        "rows in the table (default 20)",
        natural,
        "N",
        20,
    ),
    Option("--sigma", frozenset({"eta", "stress", "hedge"}), "yearly volatility (default 80%%)", share, "P%", 0.8),
    Option("--paths", frozenset({"stress"}), "paths (default 1000)", natural, "N", 1_000),
    Option("--path-steps", frozenset({"stress"}), "steps of a path (default 8)", natural, "N", 8),
    Option("--days", frozenset({"stress"}), "length of a path (default 1)", natural, "N", 1),
    Option("--seed", frozenset({"stress"}), "of all draws (default 1)", natural, "N", 1),
    Option("--correlation", frozenset({"stress"}), "of all prices (default 80%%)", share, "P%", 0.8),
    Option("--depeg", frozenset({"stress"}), "a further scenario: it falls at once", shock, "SYM=-10%", many=True),
    Option("--fund", frozenset({"stress"}), "insurance fund, base currency; else what the market says", natural, "N"),
    Option(
        "--gas",
        frozenset({"stress", "costs", "capacity"}),
        "of one liquidation (default 600000)",
        natural,
        "N",
        600_000,
    ),
    Option("--gas-price", frozenset({"stress", "costs", "capacity"}), "gwei (default 20)", natural, "N", 20),
    Option(
        "--block-gas", frozenset({"stress", "capacity"}), "gas of a block (default 30000000)", natural, "N", 30_000_000
    ),
    Option(
        "--bonus",
        frozenset({"costs", "toxicity", "capacity", "exploits"}),
        "of a liquidation (default 5%%)",
        share,
        "P%",
        0.05,
    ),
    Option("--below", frozenset({"toxicity"}), "accounts with a health below this (default 1.1)", float, "H", 1.1),
    Option("--sell", frozenset({"costs"}), "what is sold; the largest collateral when left out", str, "SYM"),
    Option("--into", frozenset({"costs"}), "what it is sold for; the largest debt when left out", str, "SYM"),
    Option("--signers", frozenset({"capacity"}), "accounts that send (default 1)", natural, "N", 1),
    Option("--budget", frozenset({"capacity"}), "most that gas may cost, base currency", natural, "N"),
    Option(
        "--rivals", frozenset({"capacity"}), "chance a block that another is first (default 50%%)", share, "P%", 0.5
    ),
    Option("--log", frozenset({"capacity"}), "JSON lines of keeper run, for latencies", Path, "FILE"),
    Option("--minutes", frozenset({"hedge"}), "for which it is held (default 10)", natural, "N", 10),
    Option("--risk-limit", frozenset({"hedge"}), "risk that is borne, base currency (default 0)", natural, "N", 0),
    Option("--hedge-cost", frozenset({"hedge"}), "of a hedge (default 0.1%%)", share, "P%", 0.001),
    Option("--book", frozenset({"greeks"}), "a what-if book of options, TOML", Path, "FILE"),
    Option("--blocks", frozenset({"exploits"}), "looked back at (default 64)", natural, "N", 64),
    Option("--from", frozenset({"missed"}), "first block (default: 7200 before the last)", natural, "N"),
    Option("--to", frozenset({"missed"}), "last block (default: the head)", natural, "N"),
    Option("--asset", frozenset({"ladder", "greeks"}), "only this one moves; may be repeated", str, "SYM", many=True),
    Option("--steps", frozenset({"ladder"}), "price steps (default 50)", natural, "N", 50),
    Option("--depth", frozenset({"ladder"}), "down to this fall (default 50%%)", share, "P%", 0.5),
    Option(
        "--shock",
        frozenset({"cascade", "capacity"}),
        "move a price; ALL: every one that is not pegged (default ALL=-10%%)",
        shock,
        "SYM=-20%",
        many=True,
    ),
)


def add(parser: ArgumentParser) -> None:
    """Everything ``keeper report`` understands."""
    listed = "; ".join(f"{name}: {what}" for name, what in REPORTS.items())
    parser.add_argument("name", metavar="NAME", choices=list(REPORTS), help=listed)
    parser.add_argument("--block", type=natural, metavar="N", help="as of this block; the head when left out")
    parser.add_argument(
        "--recording", type=Path, metavar="DIR", help="look at a recording instead of the chain; replay needs one"
    )
    parser.add_argument("--market", metavar="ADDRESS", help="only this market; all when left out")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save the picture, as .svg or .png")
    parser.add_argument("--html", type=Path, metavar="FILE", help="save everything as one page")
    for option in OPTIONS:
        parser.add_argument(
            option.flag,
            type=option.read,
            metavar=option.metavar,
            default=argparse.SUPPRESS,
            action="append" if option.many else "store",
            help=f"{option.help} [{', '.join(sorted(option.reports))}]",
        )


def settled(args: Namespace) -> Namespace:
    """The options of the report with their defaults; those of others are refused, all at once."""
    foreign = [one for one in OPTIONS if hasattr(args, one.key) and args.name not in one.reports]
    problems = [f"{one.flag}: not an option of {args.name}, but of {', '.join(sorted(one.reports))}" for one in foreign]
    if args.plot is not None and args.plot.suffix not in (".svg", ".png"):
        problems.append(f"--plot {args.plot}: the name must end in .svg or .png")
    if problems:
        raise ConfigError(*problems)
    for one in OPTIONS:
        if args.name in one.reports and not hasattr(args, one.key):
            setattr(args, one.key, [] if one.many else one.default)
    return args
