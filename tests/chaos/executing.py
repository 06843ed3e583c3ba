"""An executor as a process of its own, to be killed. Argument: a folder with ``play.json`` and, per head, plans."""

import asyncio
import sys
from pathlib import Path

import msgspec
from eth_utils.crypto import keccak

from keeper import log
from keeper.chain.pool import Pool
from keeper.contracts.encode import Executor as Contract
from keeper.core.plans import Plan
from keeper.executor.attempt import Pace
from keeper.executor.executor import Executor, Setup
from keeper.executor.fanout import Fanout
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import RelayConfig, channels
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import LocalSigner
from keeper.store.journal import Journal


class Program(msgspec.Struct):
    """Where everything is."""

    rpc: str
    relays: dict[str, str]  # kind → url
    secrets: list[bytes]
    contract: Contract
    confirmations: int


async def main(folder: Path) -> None:
    log.configure("info")
    program = msgspec.json.decode((folder / "play.json").read_bytes(), type=Program)
    journal = Journal(folder / "state.sqlite", 31337)
    signer = LocalSigner(program.secrets)
    async with Pool([program.rpc]) as pool, Transport(total=0.3) as transport:
        configs = [RelayConfig(kind, url) for kind, url in program.relays.items()]
        identity = Identity(keccak(text="keeper test identity"))
        lanes = channels(configs, transport, identity, signer.addresses, allow_public=False)
        setup = Setup(31337, program.contract, Pace(hand_over=0.5), confirmations=program.confirmations)
        executor = Executor(node=pool, signer=signer, fanout=Fanout(lanes, failures=99), journal=journal, setup=setup)
        print("ready", flush=True)  # noqa: T201
        while True:
            head = await executor.reconcile()
            plans = folder / f"{head.number}.plans"
            text = plans.read_bytes() if plans.exists() else b"[]"
            await executor.submit(msgspec.json.decode(text, type=list[Plan]), head)
            await asyncio.sleep(0.01)


asyncio.run(main(Path(sys.argv[1])))
