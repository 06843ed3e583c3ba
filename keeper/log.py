"""Structured logs: one event a line, on stderr, with nothing secret in it.

Law: only shell folders log, through ``get_logger``. An event's name and fields are in ``log_events.toml``. JSON when
stderr is not a terminal. A line that cannot be written is counted and lost; it never stops the keeper, nor does a
reader that hangs.

    ts, level, event, run_id, chain_id, block, account, opportunity_id, reason, then the event's own fields
"""

import logging
import os
import select
import stat
import sys
from collections.abc import Mapping, MutableMapping
from secrets import token_hex
from typing import Final, TextIO

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.typing import FilteringBoundLogger, Processor

from keeper.output import decimal
from keeper.redact import redact_event

HEAD: Final = ("ts", "level", "event", "run_id", "chain_id", "block", "account", "opportunity_id", "reason")
PATIENCE: Final = 100  # milliseconds for a reader that is slow
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Sink:
    """Writes lines to a stream that may be gone (pipe closed, disk full, nobody reads) and counts what was lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._room = _room(stream)
        self._patience = PATIENCE
        self.lost = 0

    def msg(self, line: str) -> None:
        """Write one line, or lose it."""
        if self._room is not None and not self._room.poll(self._patience):
            self._patience = 0  # whoever hangs is waited for once
            self.lost += 1
            return
        self._patience = PATIENCE
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lost += 1

    debug = info = warning = error = critical = msg


def _room(stream: TextIO) -> "select.poll | None":
    """Tells whether a pipe or a socket takes another line; for a file nobody has to be asked."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # not a file at all
        return None
    mode = os.fstat(number).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        return None
    room = select.poll()
    room.register(number, select.POLLOUT)
    return room


class _Library(logging.Handler):
    """What libraries say through the standard library, as events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(LEVELS.values(), key=lambda known: abs(known - record.levelno))
        get_logger().log(
            level, "library.message", library=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


def configure(level: str = "info", *, stream: TextIO | None = None, human: bool | None = None) -> Sink:
    """Set logging up for this process and start a run. ``human`` defaults to: the stream is a terminal."""
    out = stream or sys.stderr
    for_people = out.isatty() if human is None else human
    sink = Sink(out)
    structlog.configure(
        processors=_chain(for_people=for_people, colors=out.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    clear_contextvars()
    bind(run_id=token_hex(4))
    return sink


def get_logger(**context: object) -> FilteringBoundLogger:
    """The logger of a shell module, with what is constant there already bound."""
    logger: FilteringBoundLogger = structlog.get_logger(**context)
    return logger


def bind(**context: object) -> None:
    """Put values (``chain_id``, ``block``) on every line of this task and of those it starts."""
    bind_contextvars(**context)


def _chain(*, for_people: bool, colors: bool) -> list[Processor]:
    render = _people(colors=colors) if for_people else _json
    return [
        merge_contextvars,
        structlog.processors.add_log_level,
        # Not "iso": that leaves the fraction out when it is zero, once in a million lines.
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _plain,
        redact_event,
        _ordered,
        render,
    ]


def _plain(_logger: object, _method: str, event: MutableMapping[str, object]) -> Mapping[str, object]:
    return {key: decimal(value) for key, value in event.items()}


def _ordered(_logger: object, _method: str, event: MutableMapping[str, object]) -> Mapping[str, object]:
    head = {key: event[key] for key in HEAD if event.get(key) is not None}
    return head | {key: value for key, value in event.items() if key not in head}


def _json(_logger: object, _method: str, event: MutableMapping[str, object]) -> str:
    return msgspec.json.encode(event).decode()


def _people(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        timestamp_key="ts",
        exception_formatter=structlog.dev.plain_traceback,  # already text, and redacted
    )
