"""The daemon for a day at speed: it weighs no more in the evening than at noon.

`make soak` plays a whole day: KEEPER_SOAK_BLOCKS=7200.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.chain.service_stage import SIGNERS, theatre
from tests.chaos.soaking import Soak, Walk, growth, halves

ACCOUNTS = 500
BLOCKS = int(os.environ.get("KEEPER_SOAK_BLOCKS", "400"))


@pytest.mark.slow
async def test_memory_files_and_queues_are_flat_and_the_books_are_right(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed, ACCOUNTS) as at:
        at.configure()
        service = at.start()
        await service.ready()
        (where,) = await service.until("ops.listening")
        soak = Soak(at, service, Walk(at, ACCOUNTS, seed), int(where["port"]))
        await soak.run(BLOCKS)
        before, after = halves(soak.samples)
        last = soak.samples[-1]
        won = last.of("keeper_opportunities_total", "included")
        told = f"{ACCOUNTS} accounts, {BLOCKS} blocks, {won:.0f} liquidations: memory grew {growth(soak.samples):+.2%}"
        sys.stderr.write(f"{told}\n")

        assert growth(soak.samples) < 0.05
        assert max(one.files for one in after) <= max(one.files for one in before) + 4  # connections kept for later
        assert last.queues
        for name in last.queues:
            assert max(one.queues[name] for one in after) <= 2 * max(one.queues[name] for one in before) + 8, name
        assert last.restarts == 0
        assert last.of("keeper_drifts_total") == last.of("keeper_log_lines_lost_total") == 0
        assert won > 0
        assert not at.at.relay.public.sent_by(SIGNERS)
        assert await at.stopped(service) == 0
        service.check_lines()
        audit = await at.command("audit", "--all", "--json")
        assert audit.returncode == 0, audit.stdout
