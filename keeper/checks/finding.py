"""What a check found.

Law: whatever goes wrong while a check looks is itself a finding; the other checks go on.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final

from keeper.errors import ConfigError, Exit, KeeperError

PRIORITY: Final = (Exit.WRONG_CHAIN, Exit.STATE_CORRUPT, Exit.UNAVAILABLE, Exit.USAGE)  # of exit codes


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: a problem when it has an exit code, a note when it only has something to do."""

    subject: str
    says: str
    remedy: str = ""
    exit: Exit = Exit.DONE

    @property
    def grade(self) -> str:
        if self.exit is not Exit.DONE:
            return "problem"
        return "note" if self.remedy else "ok"


def exit_code(findings: Iterable[Finding]) -> Exit:
    """The code of the gravest kind of problem there is."""
    codes = {finding.exit for finding in findings} - {Exit.DONE}
    return next((code for code in PRIORITY if code in codes), Exit.NO if codes else Exit.DONE)


async def attempted(subject: str, work: Awaitable[list[Finding]], remedy: str = "") -> list[Finding]:
    """Findings of a check, or of what stopped it."""
    try:
        return await work
    except ConfigError as error:
        return [Finding(subject, problem, remedy, error.exit_code) for problem in error.problems]
    except KeeperError as error:
        return [Finding(subject, str(error), remedy, error.exit_code)]
