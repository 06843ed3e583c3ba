"""The command line: which commands there are, and how their ends become exit codes.

Law: a command is one line of ``COMMANDS``; its module is imported when it runs. This is the one catcher of
``KeeperError``: an error is one clear line on stderr and an exit code, and its traceback only with ``--debug``. A bug
is neither caught nor hidden: it is a redacted line and Python's own exit code.
"""

import asyncio
import os
import re
import sys
import traceback
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Final

from keeper import __version__
from keeper.commands import report_flags
from keeper.demo import MARKETS, REAL
from keeper.errors import ConfigError, KeeperError
from keeper.redact import redact_text
from keeper.sources import FLAG

INTERRUPTED: Final = 130  # as shells say it: 128 + SIGINT
READER_GONE: Final = 141  # 128 + SIGPIPE: whoever read our output wanted no more of it

Flags = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. The function is ``async (settings, args) -> int``, or ``async (args) -> int`` without settings."""

    name: str
    help: str
    module: str
    function: str
    arguments: Callable[[ArgumentParser], None] = lambda _: None
    configured: bool = True


def _accounts(parser: ArgumentParser) -> None:
    parser.add_argument("--block", type=_natural, metavar="N", help="as of this block; the head when left out")
    parser.add_argument(
        "--sort", choices=["health", "price"], default="health",
        help="what comes first: the least healthy, or who needs the smallest move of the price of --asset",
    )  # fmt: skip
    parser.add_argument("--asset", metavar="SYM", help="whose price moves: a symbol or an address")
    parser.add_argument("--price", type=_price, metavar="P", help="only who flips at this price of --asset")
    parser.add_argument("--limit", type=_natural, metavar="N", help="no more than so many")
    parser.add_argument("--json", action="store_true", help="one object a line")


def _audit(parser: ArgumentParser) -> None:
    parser.add_argument("--block", type=_natural, metavar="N", help="as of this block; the head when left out")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every account (the default)")
    which.add_argument("--sample", type=_natural, metavar="N", help="so many accounts, drawn at random")
    parser.add_argument("--json", action="store_true", help="one object a line")


def _check(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object a line")


def _bench(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="which benchmark; all when left out")
    parser.add_argument("--accounts", type=_natural, metavar="N", help="so many, in benchmarks that count them")
    parser.add_argument("--json", action="store_true", help="one object a line")


def _run_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--read-only", action="store_true", help="watch and say what it would do, send nothing")
    parser.add_argument(
        "--drain", type=_natural, default=60, metavar="S",
        help="seconds that a stop waits for what is in flight (default 60)",
    )  # fmt: skip


def _why(parser: ArgumentParser) -> None:
    parser.add_argument("account", metavar="ACCOUNT", help="0x and 40 hex digits, :POCKET where it has pockets")
    parser.add_argument("--json", action="store_true", help="one object")


def _deploy(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object")


def _calc(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="which calculator; a list of them when left out")
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="what it takes")
    parser.add_argument("--json", action="store_true", help="one object")


def _names(text: str) -> tuple[str, ...]:
    """Markets of the demonstration, by their names."""
    found = tuple(text.split(","))
    if unknown := [name for name in found if name not in MARKETS]:
        raise ArgumentTypeError(f"{', '.join(unknown)}: not known; there are {', '.join(MARKETS)}")
    return found


def _record(parser: ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", type=_natural, metavar="N", required=True, help="first block")
    parser.add_argument("--to", dest="last", type=_natural, metavar="N", required=True, help="last block")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="a folder, new or empty")
    parser.add_argument("--json", action="store_true", help="one object")


def _demo(parser: ArgumentParser) -> None:
    parser.add_argument("--accounts", type=_natural, default=25, metavar="N", help="borrowers (default 25)")
    parser.add_argument("--seed", type=_natural, default=7, metavar="N", help="another story (default 7)")
    parser.add_argument(
        "--markets", type=_names, default=REAL, metavar="NAME,…",
        help=f"which of {','.join(MARKETS)} (a fixture) are played (default {','.join(REAL)})",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE", help="save the report as JSON")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save the view as it is in the end, as SVG")
    parser.add_argument("--pace", type=float, default=1.2, metavar="S", help="seconds a slot (default 1.2)")


def _dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--fork", metavar="URL", help="a running fork (anvil); one of its own when left out")
    parser.add_argument("--block", type=_natural, metavar="N", help="fork at this block; the head when left out")
    parser.add_argument(
        "--shock", type=_shock, action="append", default=[], metavar="SYM=-20%",
        help="move the oracle's price of an asset, pools stay; may be given for several",
    )  # fmt: skip
    parser.add_argument("--blocks", type=_natural, metavar="M", help="so many; until nothing is left to do by default")
    parser.add_argument("--rehearse", action="store_true", help="bring every account with debt down, one at a time")
    parser.add_argument("--report", type=Path, metavar="FILE", help="save the report as JSON")
    parser.add_argument("--json", action="store_true", help="one object a line")


COMMANDS: Final = (
    Command("run", "watch, decide, liquidate, until told to stop", "keeper.service", "run", _run_flags),
    Command("demo", "the whole keeper on a local world, offline", "keeper.demo.run", "demo", _demo, configured=False),
    Command("dry-run", "the daemon on a fork of the chain", "keeper.dryrun.run", "dry_run", _dry_run),
    Command("accounts", "every borrower and its health", "keeper.commands.accounts", "accounts", _accounts),
    Command("audit", "the book against the chain's own view", "keeper.commands.audit", "audit", _audit),
    Command("why", "why an account is not liquidated", "keeper.commands.why", "why", _why),
    Command("calc", "calculators of margin, by venue", "keeper.commands.calc", "calc", _calc, configured=False),
    Command("record", "a range of blocks as Parquet files", "keeper.commands.record", "record", _record),
    Command("report", "what the book implies: the risk desk", "keeper.commands.report", "report", report_flags.add),
    Command(
        "deploy", "put the executor on the chain and give it its roles", "keeper.commands.deploy", "deploy", _deploy
    ),
    Command("check", "everything that can be wrong before a start", "keeper.commands.check", "check", _check),
    Command("bench", "the benchmarks, as ratios in one run", "keeper.bench", "bench", _bench, configured=False),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words, flags = _split(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    args = parser.parse_args(words)
    command: Command = args.command
    if flags and not command.configured:
        parser.error(f"{command.name} has no configuration: --{flags[0][0]}")
    sys.excepthook = _bug(debug=args.debug)
    try:
        code = _run(command, args, flags)
        sys.stdout.flush()
    except KeeperError as error:
        _say(error, debug=args.debug)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return code


def _run(command: Command, args: Namespace, flags: Flags) -> int:
    import uvloop

    from keeper import log

    if command.configured:
        from keeper.settings import load

        settings = load(args.config, flags, secrets=args.secrets)
        args.sink = log.configure(args.log_level or settings.ops.log_level)
        log.bind(chain_id=settings.chain.id)
        log.get_logger().info("config.loaded", markets=len(settings.markets), endpoints=len(settings.chain.rpc))
        args.flags = flags  # what is read again is read with the same flags
        work = _function(command)(settings, args)
    else:
        log.configure(args.log_level or "info")
        work = _function(command)(args)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _function(command: Command) -> Callable[..., Coroutine[object, object, int]]:
    function: Callable[..., Coroutine[object, object, int]] = getattr(import_module(command.module), command.function)
    return function


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="keeper",
        description="An off-chain liquidation keeper, exact to the last unit.",
        epilog="Exit codes: 0 done, 1 the answer is no, 2 bad configuration or usage, 3 wrong chain, 4 state corrupt, "
        "5 endpoints unavailable.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"keeper {__version__}")
    names = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = names.add_parser(
            command.name, help=command.help, description=command.help, allow_abbrev=False, epilog=_epilog(command)
        )
        if command.configured:
            sub.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; also KEEPER_CONFIG")
            sub.add_argument(
                "--secrets", type=Path, metavar="DIR", help="a folder of secret files; also KEEPER_SECRETS"
            )
        command.arguments(sub)
        sub.add_argument(
            "--log-level", choices=["debug", "info", "warning", "error"], help="least level that is logged"
        )
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
        sub.set_defaults(command=command)
    return parser


def _epilog(command: Command) -> str | None:
    key = "Every key of the configuration is also a flag, such as --chain.id 1 or --markets.0.address 0x...; "
    return key + "config/example.toml explains them all." if command.configured else None


def _split(argv: Sequence[str]) -> tuple[list[str], Flags]:
    """Take the flags that are keys of the configuration, which have a dot in them, out of the others."""
    words: list[str] = []
    flags: Flags = []
    rest = iter(argv)
    for word in rest:
        match = FLAG.fullmatch(word)
        if match is None:
            words.append(word)
        elif match["value"] is not None:
            flags.append((match["key"], match["value"]))
        elif (value := next(rest, None)) is not None:
            flags.append((match["key"], value))
        else:
            words.append(word)  # argparse will say that it does not know it
    return words, flags


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def _price(text: str) -> str:
    if not re.fullmatch(r"\d{1,30}(\.\d{1,30})?", text, re.ASCII):
        raise ValueError(text)
    return text


def _shock(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"([^=]+)=([+-]?)(\d{1,5})(?:\.(\d{1,2}))?%", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    change = int(match[3]) * 100 + int((match[4] or "0").ljust(2, "0"))
    if match[2] == "-" and change >= 10_000:  # noqa: PLR2004 - all of it
        raise ValueError(text)
    return match[1], -change if match[2] == "-" else change


_price.__name__ = "price"
_shock.__name__ = "shock (SYM=-20%)"
_natural.__name__ = "whole number"  # what argparse calls it


def _say(error: KeeperError, *, debug: bool) -> None:
    if debug:
        print(redact_text("".join(traceback.format_exception(error))), file=sys.stderr)
    lines = error.problems if isinstance(error, ConfigError) else [str(error) or type(error).__name__]
    for line in lines:
        print(f"keeper: {redact_text(line)}", file=sys.stderr)


def _bug(*, debug: bool) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """What is shown of an exception that nobody foresaw."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if debug:
            print(redact_text("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr)
        print(redact_text(f"keeper: a bug: {kind.__name__}: {error} (--debug shows where)"), file=sys.stderr)

    return hook
