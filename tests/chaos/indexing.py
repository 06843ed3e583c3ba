"""An indexer as a process of its own, to be killed. Arguments: node URL, protocol, its address, state file, depth."""

import asyncio
import sys
from pathlib import Path

from keeper import log
from keeper.chain.pool import Pool
from keeper.core.units import Address
from keeper.indexer import history
from keeper.indexer.indexer import Indexer
from keeper.registry import PROTOCOLS
from keeper.store.store import Store


async def main(url: str, protocol: str, address: str, path: str, depth: str) -> None:
    log.configure("error")
    history.FIRST_STRETCH = 1  # type: ignore[misc] # a short history in many transactions
    history.MAX_STRETCH = 3  # type: ignore[misc]
    store = Store(Path(path), 31337, int(depth))
    print("ready", flush=True)  # noqa: T201
    async with Pool([url]) as chain:
        indexer = Indexer(chain, store, [(PROTOCOLS[protocol](Address(address)), 0)], checkpoint_every=10)
        while True:
            await indexer.advance()
            await indexer.checkpoint_if_due(0)
            await asyncio.sleep(0.001)


asyncio.run(main(*sys.argv[1:]))
