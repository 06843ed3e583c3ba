"""The kill switch: while a file exists nothing is sent; watching goes on.

Law: doubt stops. A path that cannot be looked at counts as a file that is there.
"""

import asyncio
from pathlib import Path
from typing import Final

from keeper.log import get_logger
from keeper.ops.status import Status

NAME: Final = "kill_switch"  # as it stands in logs, in /readyz and in keeper_halted

_log = get_logger()


class KillSwitch:
    """Looks at the file every so often, and at once when asked to."""

    def __init__(self, status: Status, path: Path | None, *, every: float = 1.0) -> None:
        self._status, self._path, self._every = status, path, every
        self.look()

    @property
    def engaged(self) -> bool:
        return NAME in self._status.halted

    def look(self) -> bool:
        """Whether nothing may be sent, as of now. Cheap enough for right before a submission."""
        why = _why(self._path) if self._path is not None else ""
        if why and not self.engaged:
            _log.warning("risk.breaker_opened", breaker=NAME, reason=why)
        elif self.engaged and not why:
            _log.info("risk.breaker_closed", breaker=NAME)
        if why:
            self._status.halted[NAME] = why
        else:
            self._status.halted.pop(NAME, None)
        return bool(why)

    async def run(self) -> None:
        """Keep looking, until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            self.look()


def _why(path: Path) -> str:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    return f"{path} exists"
