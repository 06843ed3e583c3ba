"""An indexer as a process of its own, to be killed. Arguments: node URL, provider, state file, journal depth."""

import asyncio
import sys
from pathlib import Path

from keeper import log
from keeper.chain.pool import Pool
from keeper.core.units import Address
from keeper.indexer import history
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store


async def main(url: str, provider: str, path: str, depth: str) -> None:
    log.configure("error")
    history.FIRST_STRETCH = 1  # type: ignore[misc] # a short history in many transactions
    history.MAX_STRETCH = 3  # type: ignore[misc]
    store = Store(Path(path), 31337, int(depth))
    print("ready", flush=True)  # noqa: T201
    async with Pool([url]) as chain:
        indexer = Indexer(chain, store, [(AaveV3(Address(provider)), 0)], checkpoint_every=10)
        while True:
            await indexer.advance()
            await indexer.checkpoint_if_due(0)
            await asyncio.sleep(0.001)


asyncio.run(main(*sys.argv[1:]))
