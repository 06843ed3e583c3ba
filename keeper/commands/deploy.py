"""``keeper deploy``: the executor on the chain, owned by the first signer, with the roles that the configuration needs.

Law: what is there already is checked and not sent again; run it as often as you like.
"""

from argparse import Namespace

from keeper.books import endpoints, require_chain
from keeper.chain.retry import Patience
from keeper.checks.executor import roles
from keeper.commands.tables import say
from keeper.core.plans import Role
from keeper.core.units import Address
from keeper.errors import ConfigError, Exit
from keeper.executor.deploy import Deployed, Deployment
from keeper.executor.deploy import deploy as put
from keeper.executor.relays.transport import Transport
from keeper.hands import factories_of, signer_of
from keeper.output import emit
from keeper.settings import Settings


async def deploy(settings: Settings, args: Namespace) -> int:
    """Create what is missing, give the roles, say what to configure."""
    if problems := _problems(settings):
        raise ConfigError(*problems)
    async with endpoints(settings, Patience(total=settings.chain.timeout)) as pool, Transport() as transport:
        await require_chain(pool, settings.chain.id)
        signer = signer_of(settings, transport)
        wanted = Deployment(
            owner=signer.addresses[0],
            treasury=Address(settings.executor.profit_recipient or ""),
            weth=Address(settings.chain.wrapped_native or ""),
            factories=factories_of(settings),
            roles=await roles(settings, pool, signer.addresses),
        )
        done = await put(pool, signer, wanted)
    _tell(settings, wanted, done, json=args.json)
    return Exit.NO if done.missing else Exit.DONE


def _problems(settings: Settings) -> list[str]:
    needed = (
        (settings.signer.configured, "signer: none configured; the first one pays and becomes the owner"),
        (settings.executor.profit_recipient, "executor.profit_recipient: where profit leaves to, for ever; set it"),
        (settings.chain.wrapped_native, "chain.wrapped_native: what profit is measured in; set it"),
        (settings.venues, "venues: none configured; the executor swaps only in pools of factories that it knows"),
    )
    hashless = [
        f"{settings.place('venues', i, 'init_code_hash')}: not set; pools' addresses are proven from it"
        for i, venue in enumerate(settings.venues)
        if venue.init_code_hash is None
    ]
    return [said for there, said in needed if not there] + hashless


def _tell(settings: Settings, wanted: Deployment, done: Deployed, *, json: bool) -> None:
    configured = settings.executor.address
    if json:
        emit(
            {
                "address": done.address,
                "owner": wanted.owner,
                "treasury": wanted.treasury,
                "sent": done.sent,
                "roles": {target: _named(role) for target, role in wanted.roles.items()},
                "missing": {target: _named(role) for target, role in done.missing.items()},
                "configured": configured == done.address,
            }
        )
        return
    say(f"executor {done.address}: " + (f"{len(done.sent)} transactions sent" if done.sent else "was there already"))
    for target, role in wanted.roles.items():
        lacking = "  MISSING: only the owner can give it" if target in done.missing else ""
        say(f"  {_named(role):<12}{target}{lacking}")
    if configured == done.address:
        say("executor.address is set to it")
    else:
        instead = f" instead of {configured}" if configured else ""
        say(f"put this into the configuration{instead}:")
        say(f'[executor]\naddress = "{done.address}"')


def _named(role: Role) -> str:
    return (role.name or str(int(role))).lower()
