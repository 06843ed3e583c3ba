"""A local market behind a stand-in relay, an executor contract, signers, and the executor that is under test."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.core.plans import Estimate, FundingKind, Plan, Role
from keeper.core.units import Address, Amount, BlockNumber, Bps, Wei
from keeper.devnet.relay import Builder, StandInRelay
from keeper.devnet.relay_faults import Fault
from keeper.devnet.world import World
from keeper.executor.attempt import Pace
from keeper.executor.executor import Executor, Setup
from keeper.executor.fanout import Fanout
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import RelayConfig, channels
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import LocalSigner
from keeper.executor.transaction import address_of
from keeper.store.journal import Journal
from tests.contracts.executor_world import Rig

CHAIN: Final = 31337
GWEI: Final = 10**9
KINDS: Final = ("flashbots", "buildernet", "titan")
ANVIL: Final[Mapping[str, Any]] = {"no_mining": True, "order": "fifo", "tx_gas_limit": True}
FINAL: Final = 6  # confirmations


def keys(count: int) -> list[bytes]:
    """Known to everyone."""
    return [keccak(text=f"keeper test signer {i}") for i in range(count)]


def address(key: bytes) -> Address:
    return address_of(PrivateKey(key).public_key)


@dataclass
class Stage:
    """The scenery; it outlives any executor."""

    world: World
    rig: Rig
    secrets: list[bytes]

    @classmethod
    def build(cls, world: World, signers: int) -> "Stage":
        stage = cls(world, Rig.deploy(world), keys(signers))
        world.fund(*stage.eoas, wei=10 * 10**18)
        for at in range(0, signers, 32):
            stage.rig.allow(*stage.eoas[at : at + 32], role=Role.CALLER)
        return stage

    @property
    def eoas(self) -> list[Address]:
        return [address(key) for key in self.secrets]

    def head(self) -> int:
        return self.world.block_number()

    def wealth(self) -> int:
        """Everything the ledger is about, in wei."""
        rpc, own = self.world.rpc, (*self.eoas, self.rig.address)
        ether = rpc.batch([("eth_getBalance", (one, "latest")) for one in own])
        return self.rig.weth() + sum(int(balance, 16) for balance in ether)

    def plan(self, *accounts: Address, window: int = 3, bid: int = 3_000, head: int | None = None) -> Plan:
        """Liquidates these through the market's flash loans. What it promises is what the contract says now."""
        block = (self.head() if head is None else head) + 1
        legs = [self.rig.loan(account, FundingKind.AAVE_FLASH_LOAN) for account in accounts]
        draft = self.rig.plan(*legs, bid=bid)
        gas = 250_000 + 650_000 * len(accounts)
        profit = self.rig.simulate(draft, sender=self.eoas[0]).profit
        net = Wei(profit - profit * bid // 10_000 - gas * GWEI)
        none, burnt, share = Wei(0), Wei(gas * GWEI), Wei(profit * bid // 10_000)
        told = Estimate(Wei(profit), none, none, none, none, burnt, none, share, net)
        name = keccak(text=f"{block} {' '.join(accounts)}").hex()[:16]
        return replace(
            draft,
            opportunity_id=name,
            block=BlockNumber(block),
            deadline=BlockNumber(block + window - 1),
            min_profit=Amount(profit // 2),
            bid_bps=Bps(bid),
            gas_limit=gas,
            max_fee=Wei(50 * GWEI),
            tip=Wei(GWEI),
            estimate=told,
        )

    def fallen(self, accounts: Iterable[Address]) -> list[Address]:
        return [one for one in accounts if self.world.account_data(one).health_factor < 10**18]

    def receipts(self) -> dict[str, dict[str, Any]]:
        """Every transaction of our accounts that is on the chain."""
        rpc, own = self.world.rpc, set(self.eoas)
        blocks = rpc.batch([("eth_getBlockReceipts", (hex(i),)) for i in range(self.head() + 1)])
        return {one["transactionHash"]: one for block in blocks for one in block if one["from"] in own}


@dataclass
class Play:
    """An executor on the stage, through relays of several kinds."""

    stage: Stage
    relay: StandInRelay
    pool: Pool
    journal: Journal
    executor: Executor
    fanout: Fanout

    async def head(self) -> Block:
        return await self.pool.head()

    async def submit(self, *plans: Plan) -> Sequence[Any]:
        return await self.executor.submit(plans, await self.head())

    async def slot(self, winner: str | None = None) -> Any:
        """One block, and the executor told of it."""
        slot = await self.relay.slot(winner)
        await self.executor.on_head(await self.head())
        return slot

    async def settle(self, blocks: int = FINAL + 6) -> None:
        for _ in range(blocks):
            await self.slot()


@asynccontextmanager
async def relaying(
    stage: Stage, seed: int, rates: Mapping[Fault, float] | None = None, kinds: Sequence[str] = KINDS
) -> AsyncIterator[StandInRelay]:
    builders = [Builder(kind, kind, weight=len(kinds) - i) for i, kind in enumerate(kinds)]
    async with StandInRelay(stage.world.anvil.url, builders=builders, seed=seed, rates=rates) as relay:
        yield relay


@asynccontextmanager
async def playing(
    stage: Stage,
    relay: StandInRelay,
    state: Path,
    *,
    total: float = 1.0,
    signers: Sequence[bytes] | None = None,
    confirmations: int = FINAL,
    **pace: Any,
) -> AsyncIterator[Play]:
    """An executor that starts from whatever the state file holds."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(Pool([relay.rpc]))
        transport = await stack.enter_async_context(Transport(total=total))
        identity = Identity(keccak(text="keeper test identity"))
        configs = [
            RelayConfig(one.kind, relay.urls[name], name, authorization="account" if one.kind == "bloxroute" else "")
            for name, one in relay.builders.items()
        ]
        signer = LocalSigner(stage.secrets if signers is None else signers)
        lanes = channels(configs, transport, identity, signer.addresses, allow_public=False)
        fanout = Fanout(lanes, failures=99)
        journal = Journal(state, CHAIN)
        stack.callback(journal.close)
        setup = Setup(CHAIN, stage.rig.executor, Pace(**pace), confirmations=confirmations)
        executor = Executor(node=pool, signer=signer, fanout=fanout, journal=journal, setup=setup)
        yield Play(stage, relay, pool, journal, executor, fanout)
