"""What sending needs: a key that opens, money for gas, relays that can be built, contracts that are there.

Law: nothing is sent, to nobody. Without a signer keeper only watches, and then no relay is asked for.
"""

import asyncio

from keeper.chain.pool import Pool
from keeper.checks.executor import executor
from keeper.checks.finding import Finding
from keeper.core.submissions import ChannelStatus
from keeper.core.units import Address
from keeper.errors import Exit
from keeper.executor.relays.registry import channels
from keeper.executor.relays.transport import Transport
from keeper.hands import identity_of, missing, relays_of, signer_of
from keeper.settings import Settings
from keeper.venues.registry import VENUES

ETHER = 10**18


async def signer(settings: Settings, pool: Pool) -> list[Finding]:
    """The key opens, is the expected one, can pay for gas, and the executor knows it."""
    if not settings.signer.configured:
        says = "none: keeper watches, says what it would do, and sends nothing"
        nobody = Finding("signer", says, "add a [signer] section when it should send")
        return [nobody, *await executor(settings, pool, ())]
    async with Transport() as transport:
        addresses = (await asyncio.to_thread(signer_of, settings, transport)).addresses  # a keystore is slow to open
    expected = settings.signer.address
    if expected is not None and expected not in addresses:
        says = f"the key is of {', '.join(addresses)}, signer.address says {expected}"
        return [Finding("signer", says, f"correct {settings.place('signer', 'address')} or the key", Exit.USAGE)]
    funded = [await _funded(settings, pool, address) for address in addresses]
    return [*funded, *await executor(settings, pool, addresses)]


async def _funded(settings: Settings, pool: Pool, address: Address) -> Finding:
    wei = int(await pool.request("eth_getBalance", (address, "latest")), 16)
    says = f"{address} has {wei / ETHER:.6f} for gas"
    if wei < settings.risk.min_balance:
        return Finding("signer", says, f"send it {settings.risk.min_balance / ETHER:g} or more")
    return Finding("signer", says)


async def lacking(settings: Settings) -> list[Finding]:
    """What the configuration lacks for sending."""
    problems = missing(settings) if settings.signer.configured else ()
    return [Finding("sending", problem, "add it, or take out the signer", Exit.USAGE) for problem in problems]


async def relays(settings: Settings) -> list[Finding]:
    """The channels can be built, and answer us by our signature. What a relay takes, only a bundle shows."""
    if not settings.relays:
        return []
    identity, allowed = await asyncio.to_thread(identity_of, settings), settings.policy.allow_public
    async with Transport() as transport:
        built = channels(relays_of(settings), transport, identity, (), allow_public=allowed)
        seen = await asyncio.gather(*(channel.health() for channel in built))
    lost = Exit.DONE if any(one.alive for one in seen) else Exit.UNAVAILABLE
    return [_reached(settings, i, one, lost) for i, one in enumerate(seen)]


def _reached(settings: Settings, i: int, seen: ChannelStatus, lost: Exit) -> Finding:
    """One relay that is down is a note while there is another one."""
    subject = f"relay {seen.channel}"
    if seen.alive:
        return Finding(subject, f"answers in {seen.latency * 1000:.0f} ms")
    remedy = f"look whether it is up and knows our identity; else correct {settings.place('relays', i, 'url')}"
    return Finding(subject, f"does not take us: {seen.detail or 'no answer'}", remedy, lost)


async def contracts(settings: Settings, pool: Pool) -> list[Finding]:
    """Every configured address that should be a contract is one; every venue is of a known kind."""
    head = await pool.head()
    codes = await asyncio.gather(*(pool.code(address, head) for _, _, address in _named(settings)))
    found = [
        Finding(subject, f"{address} is a contract")
        if code != "0x"
        else Finding(subject, f"{key} = {address}: there is no contract at this address", "correct the key", Exit.USAGE)
        for (subject, key, address), code in zip(_named(settings), codes, strict=True)
    ]
    return [*found, *_unknown(settings)]


def _named(settings: Settings) -> list[tuple[str, str, Address]]:
    """What it is, the key with its origin, the address."""
    venues = [
        (f"venue {venue.kind}", settings.place("venues", i, "address"), venue.address)
        for i, venue in enumerate(settings.venues)
    ]
    vaults = [
        (f"lender {lender.kind}", settings.place("lenders", i, "address"), lender.address)
        for i, lender in enumerate(settings.lenders)
    ]
    others = (
        ("executor", settings.place("executor", "address"), settings.executor.address),
        ("sequencer feed", settings.place("risk", "sequencer"), settings.risk.sequencer),
    )
    return [*venues, *vaults, *((subject, key, address) for subject, key, address in others if address is not None)]


def _unknown(settings: Settings) -> list[Finding]:
    remedy = f"one of: {', '.join(VENUES)}"
    return [
        Finding(f"venue {venue.kind}", settings.place("venues", i, "kind") + ": not known", remedy, Exit.USAGE)
        for i, venue in enumerate(settings.venues)
        if venue.kind not in VENUES
    ]
