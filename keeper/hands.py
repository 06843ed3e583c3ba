"""Hands and papers: who signs, who relays know us by, and the channels that carry what was signed.

Law: without a signer, an executor and a relay nothing is sent; what is half configured is an error, all of it at once.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from keeper.contracts.encode import Executor as Contract
from keeper.contracts.encode import Factory
from keeper.core.plans import VenueKind
from keeper.core.units import Address
from keeper.errors import ConfigError
from keeper.executor.keys import key_file, keystore_key, secret_key, secret_keys
from keeper.executor.outside import Outside
from keeper.executor.quoters import DIALECTS, HttpQuoter
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import RelayConfig, failures_cost
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import LocalSigner, RemoteSigner, Signer
from keeper.settings import Settings, read_secret

KINDS = {"uniswap_v2": VenueKind.UNISWAP_V2, "uniswap_v3": VenueKind.UNISWAP_V3}


@dataclass(frozen=True, slots=True)
class Hands:
    """What sending takes."""

    signer: Signer
    identity: Identity
    contract: Contract
    relays: tuple[RelayConfig, ...]


def hands_of(settings: Settings, transport: Transport, signer: Signer | None = None) -> Hands | None:
    """Everything for sending, or ``None`` when no signer is configured: then keeper only reads."""
    if signer is None and not settings.signer.configured:
        return None
    problems = list(missing(settings))
    if problems:
        raise ConfigError(*problems)
    return Hands(
        signer=signer or signer_of(settings, transport),
        identity=identity_of(settings),
        contract=contract_of(settings),
        relays=relays_of(settings),
    )


def missing(settings: Settings) -> Sequence[str]:
    """What the configuration lacks for sending."""
    found = []
    if settings.executor.address is None:
        found.append("executor.address: a signer is configured but no executor; deploy one with keeper deploy")
    if settings.chain.wrapped_native is None:
        found.append("chain.wrapped_native: needed to send; profit is counted in the wrapped native token")
    if not settings.relays:
        found.append("relays: a signer is configured but no relay; add a [[relays]] section")
    found += [
        f"venues: {venue.kind} at {venue.address} needs init_code_hash, from which pools' addresses are proven"
        for venue in settings.venues
        if venue.init_code_hash is None
    ]
    return found


def signer_of(settings: Settings, transport: Transport) -> Signer:
    """The accounts that pay for gas."""
    given = settings.signer
    if given.url is not None and given.address is not None:
        return RemoteSigner(given.url, [Address(given.address)], transport)
    if given.keystore is not None and given.password_file is not None:
        return LocalSigner([keystore_key(given.keystore, given.password_file)])
    return LocalSigner(secret_keys(read_secret(env=given.env)))


def identity_of(settings: Settings) -> Identity:
    """Who relays know us by. One that is not configured is made up, and has no reputation."""
    given = settings.signer
    if given.identity_file is not None:
        return Identity(key_file(given.identity_file))
    if given.identity_env is not None:
        return Identity(secret_key(read_secret(env=given.identity_env)))
    return Identity(secrets.token_bytes(32))


def contract_of(settings: Settings) -> Contract:
    """The executor as its calldata is encoded for. Factories are in the order of the configuration."""
    factories = factories_of(settings)
    native, probe = Address(settings.chain.wrapped_native or ""), failures_cost(relays_of(settings))
    return Contract(Address(settings.executor.address or ""), native, factories, probe)


def factories_of(settings: Settings) -> tuple[Factory, ...]:
    """Factories whose pools the executor trusts, in the order of the configuration."""
    return tuple(
        Factory(KINDS[venue.kind], Address(venue.address), bytes.fromhex(venue.init_code_hash[2:]))
        for venue in settings.venues
        if venue.init_code_hash is not None and venue.kind in KINDS
    )


def outside_of(settings: Settings, session: aiohttp.ClientSession) -> Outside | None:
    """Whoever is asked beside the pools; ``None`` without quoters, or without an executor they could quote for."""
    if not settings.quoters or settings.executor.address is None:
        return None
    quoters = [
        HttpQuoter(
            name=one.name or one.dialect,
            session=session,
            url=one.url,
            routers=frozenset(Address(router) for router in one.routers),
            fields=DIALECTS[one.dialect],
            headers={one.header: one.key.get_secret_value()} if one.key else {},
        )
        for one in settings.quoters
    ]
    return Outside(tuple(quoters), Address(settings.executor.address))


def relays_of(settings: Settings) -> tuple[RelayConfig, ...]:
    """The channels as configured."""
    return tuple(
        RelayConfig(
            relay.kind,
            relay.url,
            relay.name,
            relay.builders,
            relay.authorization.get_secret_value() if relay.authorization else "",
        )
        for relay in settings.relays
    )
