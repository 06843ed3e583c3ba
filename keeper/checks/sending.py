"""What sending needs: a key that opens, money for gas, relays that can be built, contracts that are there.

Law: nothing is sent, to nobody. Without a signer keeper only watches, and then no relay is asked for.
"""

import asyncio
from collections.abc import Sequence

from keeper.chain.pool import Pool
from keeper.checks.finding import Finding
from keeper.core.units import Address
from keeper.errors import Exit
from keeper.executor.keys import key_file, keystore_key, secret_key, secret_keys
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import RelayConfig, channels
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import LocalSigner
from keeper.settings import Settings, read_secret
from keeper.venues.registry import VENUES

ETHER = 10**18


async def signer(settings: Settings, pool: Pool) -> list[Finding]:
    """The key opens, is the expected one, and can pay for gas."""
    if not settings.signer.configured:
        says = "none: keeper watches, says what it would do, and sends nothing"
        return [Finding("signer", says, "add a [signer] section when it should send")]
    addresses = await _addresses(settings)
    expected = settings.signer.address
    if expected is not None and expected not in addresses:
        says = f"the key is of {', '.join(addresses)}, signer.address says {expected}"
        return [Finding("signer", says, f"correct {settings.place('signer', 'address')} or the key", Exit.USAGE)]
    return [await _funded(settings, pool, address) for address in addresses]


async def _addresses(settings: Settings) -> Sequence[Address]:
    own = settings.signer
    if own.url is not None and own.address is not None:
        return [own.address]
    if own.keystore is not None and own.password_file is not None:
        secrets: Sequence[bytes] = [await asyncio.to_thread(keystore_key, own.keystore, own.password_file)]
    else:
        secrets = secret_keys(read_secret(env=own.env))
    return LocalSigner(secrets).addresses


async def _funded(settings: Settings, pool: Pool, address: Address) -> Finding:
    wei = int(await pool.request("eth_getBalance", (address, "latest")), 16)
    says = f"{address} has {wei / ETHER:.6f} for gas"
    if wei < settings.risk.min_balance:
        return Finding("signer", says, f"send it {settings.risk.min_balance / ETHER:g} or more")
    return Finding("signer", says)


async def relays(settings: Settings) -> list[Finding]:
    """The channels can be built. Whether they take a bundle shows only with a bundle."""
    if not settings.relays:
        if settings.signer.configured:
            return [Finding("relays", "none: there is a signer and nowhere to send", "add [[relays]]", Exit.USAGE)]
        return []
    configs = [
        RelayConfig(
            relay.kind,
            relay.url,
            relay.name,
            relay.builders,
            relay.authorization.get_secret_value() if relay.authorization else "",
        )
        for relay in settings.relays
    ]
    async with Transport() as transport:
        built = channels(configs, transport, _identity(settings), (), allow_public=settings.policy.allow_public)
    return [Finding(f"relay {channel.name}", "configured") for channel in built]


def _identity(settings: Settings) -> Identity:
    """The configured identity; none is needed to see whether the rest is right."""
    own = settings.signer
    if own.identity_file is not None:
        return Identity(key_file(own.identity_file))
    if own.identity_env is not None:
        return Identity(secret_key(read_secret(env=own.identity_env)))
    return Identity(bytes([0] * 31 + [1]))


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
    return [*found, *_lacking(settings)]


def _named(settings: Settings) -> list[tuple[str, str, Address]]:
    """What it is, the key with its origin, the address."""
    venues = [
        (f"venue {venue.kind}", settings.place("venues", i, "address"), venue.address)
        for i, venue in enumerate(settings.venues)
    ]
    others = (
        ("executor", settings.place("executor", "address"), settings.executor.address),
        ("sequencer feed", settings.place("risk", "sequencer"), settings.risk.sequencer),
    )
    return [*venues, *((subject, key, address) for subject, key, address in others if address is not None)]


def _lacking(settings: Settings) -> list[Finding]:
    known = ", ".join(VENUES)
    found = [
        Finding(
            f"venue {venue.kind}", settings.place("venues", i, "kind"), f"is not known; one of: {known}", Exit.USAGE
        )
        for i, venue in enumerate(settings.venues)
        if venue.kind not in VENUES
    ]
    if settings.signer.configured and settings.executor.address is None:
        found.append(Finding("executor", "there is a signer and no executor.address", "deploy it, set it", Exit.USAGE))
    return found
