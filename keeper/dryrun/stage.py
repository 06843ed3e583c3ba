"""What a dry run is played with: throwaway accounts, an executor they may call, and the operator's settings around it.

Law: markets, venues, policy and risk are the operator's. Chain address, channel, keys and state file are our own.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_hash.auto import keccak

from keeper.books import damage, endpoints, markets, require_chain, require_markets
from keeper.contracts.artifact import creation_code, runtime_code
from keeper.core.plans import Role
from keeper.core.units import Address, Bps
from keeper.dryrun.fork import Fork
from keeper.errors import ConfigError, DevnetError, RpcError
from keeper.executor.deploy import role_calls, united
from keeper.executor.signer import LocalSigner
from keeper.hands import factories_of
from keeper.indexer.inquire import inquire
from keeper.settings import Relay, Settings

GAS: Final = 6_000_000
OWNER: Final = "0x8da5cb5b"  # owner()
PATIENCE: Final = 60.0  # seconds for one call: a fork fetches what it needs while it is asked
ANY: Final = Bps(10**9)
OF_THE_JOURNAL: Final = ("variant", "opportunity", "ledger", "signer")


def signer() -> LocalSigner:
    """One account, so that one transaction lands in a block, on the very state it was simulated on.

    Its key is known to everybody and the same in every run. It is none of the well-known test mnemonic: those have a
    past on public chains.
    """
    return LocalSigner([keccak(b"keeper dry run")])


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a dry run acts on. ``callees``: the contracts that each market's liquidations are addressed to."""

    fork: Fork
    settings: Settings
    signer: LocalSigner
    callees: Mapping[Address, Mapping[Address, Role]]


async def staged(settings: Settings, fork: Fork, *, shocked: bool) -> Stage:
    """Set the stage: what is written to the fork for it is in blocks of its own."""
    if problems := _problems(settings):
        raise ConfigError(*problems)
    hands = signer()
    mine = _pointed(settings, fork, shocked=shocked)
    async with endpoints(mine) as pool:
        await require_chain(pool, settings.chain.id)
        adapters = markets(mine)
        await require_markets(pool, mine, adapters)
        head = await pool.head()
        callees = {adapter.market: await inquire(pool, adapter.callees(), head, first) for adapter, first in adapters}
    fork.fund(*hands.addresses)
    address = _executor(settings, fork, hands)
    _give_roles(fork, address, hands, united(callees.values()))
    executor = settings.executor.model_copy(update={"address": address})
    return Stage(fork, mine.model_copy(update={"executor": executor}), hands, callees)


def kept_in(settings: Settings, path: Path) -> Settings:
    """The same with another state file, whose journal of the operator's own accounts is emptied."""
    if path.exists():
        with damage(path), closing(sqlite3.connect(path)) as db, db:
            found = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in OF_THE_JOURNAL:
                if table in found:
                    db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    return settings.model_copy(update={"store": settings.store.model_copy(update={"path": path})})


def _pointed(settings: Settings, fork: Fork, *, shocked: bool) -> Settings:
    """At the fork, through the fork's channel. A shock is an oracle that leaves the venues: no reason to refuse it."""
    timeout = max(settings.chain.timeout, PATIENCE)
    chain = {
        "rpc": (fork.url,),
        "ws": (),
        "timeout": timeout,
        "stall": 0.0,
        "long_timeout": max(settings.chain.long_timeout, PATIENCE),
    }
    risk = {"divergence": ANY} if shocked else {}
    return settings.model_copy(
        update={
            "chain": settings.chain.model_copy(update=chain),
            "relays": (Relay(kind="fork", url=fork.url),),
            "risk": settings.risk.model_copy(update=risk),
            "ops": settings.ops.model_copy(update={"port": 0, "audit_every": 0}),
        }
    )


def _problems(settings: Settings) -> list[str]:
    needed = (
        (settings.chain.wrapped_native, "chain.wrapped_native: what profit is measured in; set it"),
        (settings.venues, "venues: none configured; the executor swaps only in pools of factories that it knows"),
    )
    hashless = [
        f"{settings.place('venues', i, 'init_code_hash')}: not set; pools' addresses are proven from it"
        for i, venue in enumerate(settings.venues)
        if venue.init_code_hash is None
    ]
    return [said for there, said in needed if not there] + hashless


def _executor(settings: Settings, fork: Fork, hands: LocalSigner) -> Address:
    """The configured one where it is what it should be, else one of our own."""
    (eoa,) = hands.addresses
    treasury, weth = Address(settings.executor.profit_recipient or eoa), Address(settings.chain.wrapped_native or "")
    factories = factories_of(settings)
    configured = settings.executor.address
    if configured is not None:
        code = bytes.fromhex(fork.rpc.rpc("eth_getCode", configured, "latest")[2:])
        if code == runtime_code(treasury, weth, factories):
            return Address(configured)
    receipt = fork.rpc.send(eoa, None, "0x" + creation_code(eoa, treasury, weth, factories).hex(), gas=GAS)
    return Address(receipt["contractAddress"])


def _give_roles(fork: Fork, executor: Address, hands: LocalSigner, roles: Mapping[Address, Role]) -> None:
    """In the owner's name, who on a fork need not be asked."""
    try:
        owner = Address("0x" + fork.rpc.call(executor, OWNER)[-40:])
    except (RpcError, DevnetError) as error:
        raise ConfigError(f"executor.address = {executor}: it does not say who owns it ({error})") from error
    fork.fund(owner)
    for data in role_calls({**roles, **dict.fromkeys(hands.addresses, Role.CALLER)}):
        fork.rpc.send(owner, executor, "0x" + data.hex())
