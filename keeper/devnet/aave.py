"""What is the same in every version of Aave v3: roles, the oracle, the risk parameters of a reserve.

Law: everything is queued in the deployer as ``ADMIN``, who holds every role.
"""

from collections.abc import Mapping
from typing import Final

from keeper.core.units import ZERO_ADDRESS
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN, FEED_DECIMALS, Feed, RiskSpec, Token

MARKET_ID: Final = "keeper"
FLASH_PREMIUM: Final = 5  # bps
LISTING_GAS: Final = 3_000_000  # for each reserve: two or three proxies


def deploy_access(deployer: Deployer, provider: Contract, acl_manager: Artifact) -> Contract:
    """The ACLManager."""
    deployer.call(provider, "setACLAdmin", ADMIN)
    acl = deployer.create(acl_manager, provider.address)
    deployer.call(provider, "setACLManager", acl.address)
    deployer.call(acl, "addPoolAdmin", ADMIN)
    deployer.call(acl, "addEmergencyAdmin", ADMIN)
    return acl


def deploy_oracle(
    deployer: Deployer, provider: Contract, oracle: Artifact, tokens: Mapping[str, Token], feeds: Mapping[str, Feed]
) -> Contract:
    """The AaveOracle, which asks the feeds' proxies and falls back on nothing."""
    assets = [token.address for token in tokens.values()]
    sources = [feeds[symbol].proxy for symbol in tokens]
    no_fallback = dollars = ZERO_ADDRESS
    unit = 10**FEED_DECIMALS
    created = deployer.create(oracle, provider.address, assets, sources, no_fallback, dollars, unit)
    deployer.call(provider, "setPriceOracle", created.address)
    return created


def configure_reserve(deployer: Deployer, configurator: Contract, token: Token, risk: RiskSpec) -> None:
    """What a listing leaves open."""
    asset = token.address
    deployer.call(configurator, "configureReserveAsCollateral", asset, risk.ltv, risk.threshold, risk.bonus)
    deployer.call(configurator, "setReserveBorrowing", asset, True)
    deployer.call(configurator, "setReserveFactor", asset, risk.reserve_factor)
    deployer.call(configurator, "setReserveFlashLoaning", asset, True)
    deployer.call(configurator, "setLiquidationProtocolFee", asset, risk.liquidation_fee)
