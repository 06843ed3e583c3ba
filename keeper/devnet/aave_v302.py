"""Aave v3.0.2 from the artifacts of its own package, deployed and configured as its deploy scripts do.

Law: no contract here is ours. Order: provider, access control, implementations, oracle, then reserves.
"""

from collections.abc import Mapping
from typing import Final

from keeper.core.units import RAY, ZERO_ADDRESS, Address
from keeper.devnet.aave import (
    FLASH_PREMIUM,
    LISTING_GAS,
    MARKET_ID,
    configure_reserve,
    deploy_access,
    deploy_oracle,
)
from keeper.devnet.contract import Artifact, Contract, Deployer, artifact
from keeper.devnet.layout import ADMIN, TREASURY, AaveLayout, EMode, Feed, Reserve, RiskSpec, Token
from keeper.devnet.packages import AAVE_V302

MIN_DECIMALS = 0
_ROOT: Final = "artifacts/contracts"
_LOGIC: Final = (
    "SupplyLogic",
    "BorrowLogic",
    "LiquidationLogic",
    "EModeLogic",
    "BridgeLogic",
    "ConfiguratorLogic",
    "PoolLogic",
    "FlashLoanLogic",  # itself linked to BorrowLogic, so last
)
_FOLDERS: Final = {
    "Pool": "protocol/pool",
    "PoolConfigurator": "protocol/pool",
    "DefaultReserveInterestRateStrategy": "protocol/pool",
    "PoolAddressesProvider": "protocol/configuration",
    "ACLManager": "protocol/configuration",
    "PriceOracleSentinel": "protocol/configuration",
    "AaveOracle": "misc",
    "AaveProtocolDataProvider": "misc",
    "AToken": "protocol/tokenization",
    "StableDebtToken": "protocol/tokenization",
    "VariableDebtToken": "protocol/tokenization",
    "SequencerOracle": "mocks/oracle",
}
# percents: optimal usage, base, slopes 1 and 2; stable debt's slopes 1 and 2, offset, excess offset, optimal ratio
_CURVES: Final = {
    "volatile": (80, 1, 4, 80, 4, 80, 3, 8, 20),
    "stable": (90, 0, 4, 60, 1, 60, 1, 8, 20),
}


def contract_artifact(name: str) -> Artifact:
    """A contract of the package by its name."""
    folder = _FOLDERS.get(name, "protocol/libraries/logic")
    return artifact(AAVE_V302, f"{_ROOT}/{folder}/{name}.sol/{name}.json")


def deploy_aave(deployer: Deployer, tokens: Mapping[str, Token], feeds: Mapping[str, Feed]) -> AaveLayout:
    """The market without reserves."""
    provider = deployer.create(contract_artifact("PoolAddressesProvider"), MARKET_ID, ADMIN)
    acl = deploy_access(deployer, provider, contract_artifact("ACLManager"))
    libraries: dict[str, Address] = {}
    for name in _LOGIC:
        libraries[name] = deployer.create(contract_artifact(name), libraries=libraries).address
    pool = deployer.create(contract_artifact("Pool"), provider.address, libraries=libraries)
    configurator = deployer.create(contract_artifact("PoolConfigurator"), libraries=libraries)
    deployer.call(provider, "setPoolImpl", pool.address)
    deployer.call(provider, "setPoolConfiguratorImpl", configurator.address)
    oracle = deploy_oracle(deployer, provider, contract_artifact("AaveOracle"), tokens, feeds)
    data_provider = deployer.create(contract_artifact("AaveProtocolDataProvider"), provider.address)
    deployer.call(provider, "setPoolDataProvider", data_provider.address)
    deployer.flush()
    pool = deployer.at(provider.call("getPool"), pool.abi)
    configurator = deployer.at(provider.call("getPoolConfigurator"), configurator.abi)
    deployer.call(configurator, "updateFlashloanPremiumTotal", FLASH_PREMIUM)
    layout = AaveLayout(
        provider=provider.address,
        pool=pool.address,
        configurator=configurator.address,
        oracle=oracle.address,
        acl=acl.address,
        data_provider=data_provider.address,
        a_token_impl=deployer.create(contract_artifact("AToken"), pool.address).address,
        v_token_impl=deployer.create(contract_artifact("VariableDebtToken"), pool.address).address,
        s_token_impl=deployer.create(contract_artifact("StableDebtToken"), pool.address).address,
        curves={name: _deploy_curve(deployer, provider, percents).address for name, percents in _CURVES.items()},
    )
    deployer.flush()
    return layout


def _deploy_curve(deployer: Deployer, provider: Contract, percents: tuple[int, ...]) -> Contract:
    rays = (percent * RAY // 100 for percent in percents)
    return deployer.create(contract_artifact("DefaultReserveInterestRateStrategy"), provider.address, *rays)


def init_reserves(
    deployer: Deployer, aave: AaveLayout, tokens: Mapping[str, Token], risk: Mapping[str, RiskSpec]
) -> None:
    """Queues the listing of ``tokens`` and their configuration. Their price sources are set already."""
    configurator = deployer.at(aave.configurator, contract_artifact("PoolConfigurator").abi)
    listings = [_listing(aave, token, risk[symbol]) for symbol, token in tokens.items()]
    deployer.call(configurator, "initReserves", listings, gas=len(listings) * LISTING_GAS)
    for symbol, token in tokens.items():
        configure_reserve(deployer, configurator, token, risk[symbol])
        if risk[symbol].stable_rate:
            deployer.call(configurator, "setReserveStableRateBorrowing", token.address, True)


def _listing(aave: AaveLayout, token: Token, spec: RiskSpec) -> tuple[object, ...]:
    curve = aave.curves["volatile" if spec.volatile else "stable"]
    name = token.symbol
    names = (f"a{name}", f"a{name}", f"v{name}", f"v{name}", f"s{name}", f"s{name}")
    return (
        aave.a_token_impl,
        aave.s_token_impl,
        aave.v_token_impl,
        token.decimals,
        curve,
        token.address,
        TREASURY,
        ZERO_ADDRESS,
        *names,
        b"",
    )


def read_reserve(pool: Contract, token: Token) -> Reserve:
    """Where a listed asset's tokens are."""
    data = pool.call("getReserveData", token.address)
    reserve_id, a_token, s_token, v_token = data[7:11]
    return Reserve(token.symbol, token.address, token.decimals, reserve_id, a_token, v_token, s_token)


def add_emode(deployer: Deployer, aave: AaveLayout, emode: EMode, tokens: Mapping[str, Token]) -> None:
    """Queues an e-mode category and puts its members into it."""
    configurator = deployer.at(aave.configurator, contract_artifact("PoolConfigurator").abi)
    numbers = (emode.ltv, emode.threshold, emode.bonus)
    deployer.call(configurator, "setEModeCategory", emode.id, *numbers, emode.price_source, emode.label)
    for symbol in emode.members:
        deployer.call(configurator, "setAssetEModeCategory", tokens[symbol].address, emode.id)
