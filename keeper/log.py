"""Structured logs: one event a line, to stderr, with nothing secret in it.

Law: only shell folders log, through ``get_logger``; an event's name and fields are in ``log_events.toml``.
"""

import structlog
from structlog.typing import FilteringBoundLogger


def get_logger(**context: object) -> FilteringBoundLogger:
    """The logger of a shell module, with what is constant there already bound."""
    logger: FilteringBoundLogger = structlog.get_logger(**context)
    return logger
