"""``keeper check``: everything that can be wrong before a start, all at once.

Law: every check runs whatever the others find, as far as there is somebody to ask. The exit code is that of the gravest
kind of problem: 3 wrong chain, 4 state file, 5 endpoint, 2 configuration; notes leave it 0.
"""

import asyncio
import time
from argparse import Namespace
from collections.abc import Awaitable, Sequence

from keeper.books import endpoints as connect
from keeper.chain.pool import Pool
from keeper.chain.retry import Patience
from keeper.checks import endpoints, machine, markets, sending
from keeper.checks.finding import Finding, attempted, exit_code
from keeper.commands.tables import say
from keeper.output import emit
from keeper.settings import Settings

MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
MOVE_AWAY = "move it away to start again from the chain"


async def check(settings: Settings, args: Namespace) -> int:
    """Look at everything, tell all of it."""
    async with connect(settings, Patience(total=settings.chain.timeout)) as pool:
        found = await examined(settings, pool)
    for finding in found:
        if args.json:
            emit(
                {"grade": finding.grade, "subject": finding.subject, "says": finding.says, "do": finding.remedy or None}
            )
        else:
            say(f"{MARKS[finding.grade]}  {finding.subject}: {finding.says}")
            if finding.remedy:
                say(f"         -> {finding.remedy}")
    if not args.json:
        problems = sum(finding.grade == "problem" for finding in found)
        say(f"{problems or 'no'} problem{'s' * (problems != 1)}")
    return exit_code(found)


async def examined(settings: Settings, pool: Pool) -> Sequence[Finding]:
    """All findings, in the order of the report."""
    works: list[Awaitable[list[Finding]]] = [
        attempted("endpoints", endpoints.endpoints(settings, pool, time.time())),
        attempted("state file", machine.state(settings)),
        attempted("secrets", machine.secrets(settings)),
        attempted("ops", machine.port(settings)),
        attempted("sending", sending.lacking(settings)),
        attempted("relays", sending.relays(settings)),
    ]
    if pool.ready:
        works[1:1] = [attempted("markets", markets.all_markets(settings, pool))]
        works += [
            attempted("signer", sending.signer(settings, pool)),
            attempted("contracts", sending.contracts(settings, pool)),
        ]
    found = [finding for group in await asyncio.gather(*works) for finding in group]
    if not pool.ready:
        found.append(Finding("markets", "not looked at: there is nobody to ask", "see to the endpoints first"))
    return found
