"""The executor: the one that this configuration speaks of, with the roles that its liquidations take.

Law: only reads. ``keeper deploy`` and ``keeper check`` want the same roles, because both ask here.
"""

from collections.abc import Mapping, Sequence

from keeper.books import markets, require_markets
from keeper.chain.pool import Pool
from keeper.checks.finding import Finding
from keeper.contracts.artifact import runtime_code
from keeper.core.plans import Role
from keeper.core.units import Address
from keeper.errors import Exit
from keeper.executor.deploy import missing_roles, owner_of, united
from keeper.hands import factories_of
from keeper.indexer.inquire import inquire
from keeper.settings import Settings

DEPLOY = "keeper deploy puts one there, and says its address"


async def executor(settings: Settings, pool: Pool, callers: Sequence[Address]) -> list[Finding]:
    """Its code to the byte, and what it lets ``callers`` do. Without callers nothing is sent, and none need be let."""
    address = settings.executor.address
    if address is None or not (settings.executor.profit_recipient and settings.chain.wrapped_native):
        return []
    treasury, weth = Address(settings.executor.profit_recipient), Address(settings.chain.wrapped_native)
    code = bytes.fromhex((await pool.code(Address(address), await pool.head()))[2:])
    if code and code != runtime_code(treasury, weth, factories_of(settings)):
        where = settings.place("executor", "address")
        says = f"{where} = {address}: not one of this profit_recipient, wrapped_native and venues, in this order"
        return [Finding("executor", says, DEPLOY, Exit.USAGE)]
    if not code or not callers:
        return []
    missing = await missing_roles(pool, Address(address), await roles(settings, pool, callers))
    if not missing:
        return [Finding("executor", f"{address} knows its callers and everybody they call")]
    lacking = ", ".join(f"{target} as {role.name}" for target, role in missing.items())
    remedy = f"its owner, {await owner_of(pool, Address(address))}, gives these roles: keeper deploy"
    return [Finding("executor", f"{address} does not know {lacking.lower()}", remedy, Exit.USAGE)]


async def roles(settings: Settings, pool: Pool, callers: Sequence[Address]) -> Mapping[Address, Role]:
    """Everything that the configured markets, lenders, quoters and signers take."""
    adapters = markets(settings)
    await require_markets(pool, settings, adapters)
    head = await pool.head()
    callees = [await inquire(pool, adapter.callees(), head, first) for adapter, first in adapters]
    lenders = dict.fromkeys((Address(lender.address) for lender in settings.lenders), Role.MARKET)
    routers = dict.fromkeys((Address(router) for one in settings.quoters for router in one.routers), Role.ROUTER)
    return united([*callees, lenders, routers, dict.fromkeys(callers, Role.CALLER)])
