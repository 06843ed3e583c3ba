"""Aave v3.6, compiled from the sources of its own package and deployed as its deploy procedures do.

Law: no contract here is ours. What differs from 3.0.2 for whoever configures it: one interest rate contract with
parameters per reserve, no stable debt, e-modes made of bitmaps, custom errors.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from eth_abi.abi import encode

from keeper.core.units import ZERO_ADDRESS, Address
from keeper.devnet.aave import (
    FLASH_PREMIUM,
    LISTING_GAS,
    MARKET_ID,
    configure_reserve,
    deploy_access,
    deploy_oracle,
)
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN, TREASURY, AaveLayout, EMode, Feed, Reserve, RiskSpec, Token
from keeper.devnet.packages import AAVE_V36, BGD_UTILS, OPENZEPPELIN, OPENZEPPELIN_UPGRADEABLE, SOLC_0837
from keeper.devnet.solc import Project, compiled

MIN_DECIMALS = 6
_LOGIC: Final = (
    "SupplyLogic",
    "BorrowLogic",
    "LiquidationLogic",
    "ConfiguratorLogic",
    "PoolLogic",
    "FlashLoanLogic",  # itself linked to BorrowLogic, so last
)
_NAMES: Final = {
    "Pool": "PoolInstance",
    "PoolConfigurator": "PoolConfiguratorInstance",
    "AToken": "ATokenInstance",
    "VariableDebtToken": "VariableDebtTokenInstance",
}
_PROJECT: Final = Project(
    name="aave-3.6",
    compiler=SOLC_0837,
    roots=(
        ("aave/", AAVE_V36, "src/contracts/"),
        ("openzeppelin-contracts-upgradeable/contracts/", OPENZEPPELIN_UPGRADEABLE, ""),
        ("@openzeppelin/contracts/", OPENZEPPELIN, ""),
        ("openzeppelin-contracts/contracts/", OPENZEPPELIN, ""),
        ("solidity-utils/", BGD_UTILS, "src/"),
    ),
    entries=(
        "aave/instances/PoolInstance.sol",
        "aave/instances/PoolConfiguratorInstance.sol",
        "aave/instances/ATokenInstance.sol",
        "aave/instances/VariableDebtTokenInstance.sol",
        "aave/protocol/configuration/PoolAddressesProvider.sol",
        "aave/protocol/configuration/ACLManager.sol",
        "aave/misc/AaveOracle.sol",
        "aave/misc/PriceOracleSentinel.sol",
        "aave/misc/DefaultReserveInterestRateStrategyV2.sol",
        "aave/helpers/AaveProtocolDataProvider.sol",
        "aave/helpers/LiquidationDataProvider.sol",
        "aave/mocks/oracle/SequencerOracle.sol",
    ),
    runs=200,
    evm_version="cancun",
)
# basis points: optimal usage, base, slopes 1 and 2
_CURVES: Final = {"volatile": (8000, 100, 400, 8000), "stable": (9000, 0, 400, 6000)}


def contract_artifact(name: str) -> Artifact:
    """A contract of the package by its name, which is the same as in 3.0.2."""
    _learn_errors()
    return compiled(_PROJECT, _NAMES.get(name, name))


@cache
def _learn_errors() -> None:
    """The pool's custom errors are declared in its libraries; reading their ABIs lets reverts be told in words."""
    for library in _LOGIC:
        compiled(_PROJECT, library)


def deploy_aave(deployer: Deployer, tokens: Mapping[str, Token], feeds: Mapping[str, Feed]) -> AaveLayout:
    """The market without reserves."""
    provider = deployer.create(contract_artifact("PoolAddressesProvider"), MARKET_ID, ADMIN)
    acl = deploy_access(deployer, provider, contract_artifact("ACLManager"))
    pool, configurator, curve = deploy_implementations(deployer, provider.address)
    deployer.call(provider, "setPoolImpl", pool.address)
    deployer.call(provider, "setPoolConfiguratorImpl", configurator.address)
    oracle = deploy_oracle(deployer, provider, contract_artifact("AaveOracle"), tokens, feeds)
    deployer.flush()
    pool = pool.at(provider.call("getPool"))
    configurator = configurator.at(provider.call("getPoolConfigurator"))
    deployer.call(configurator, "updateFlashloanPremium", FLASH_PREMIUM)
    helpers = deploy_helpers(deployer, provider.address, pool.address)
    deployer.call(provider, "setPoolDataProvider", helpers["data_provider"])
    deployer.flush()
    return AaveLayout(
        provider=provider.address,
        pool=pool.address,
        configurator=configurator.address,
        oracle=oracle.address,
        acl=acl.address,
        s_token_impl=None,
        curves=dict.fromkeys(_CURVES, curve.address),
        **helpers,
    )


def deploy_implementations(deployer: Deployer, provider: Address) -> tuple[Contract, Contract, Contract]:
    """Pool, configurator and interest rates, not yet in use."""
    libraries: dict[str, Address] = {}
    for name in _LOGIC:
        libraries[name] = deployer.create(contract_artifact(name), libraries=libraries).address
    curve = deployer.create(contract_artifact("DefaultReserveInterestRateStrategyV2"), provider)
    pool = deployer.create(contract_artifact("Pool"), provider, curve.address, libraries=libraries)
    configurator = deployer.create(contract_artifact("PoolConfigurator"), libraries=libraries)
    return pool, configurator, curve


def deploy_helpers(deployer: Deployer, provider: Address, pool: Address) -> dict[str, Address]:
    """Token implementations and data providers, by their names in the layout."""
    no_rewards = ZERO_ADDRESS
    return {
        "a_token_impl": deployer.create(contract_artifact("AToken"), pool, no_rewards, TREASURY).address,
        "v_token_impl": deployer.create(contract_artifact("VariableDebtToken"), pool, no_rewards).address,
        "data_provider": deployer.create(contract_artifact("AaveProtocolDataProvider"), provider).address,
        "liquidation_data": deployer.create(contract_artifact("LiquidationDataProvider"), pool, provider).address,
    }


def init_reserves(
    deployer: Deployer, aave: AaveLayout, tokens: Mapping[str, Token], risk: Mapping[str, RiskSpec]
) -> None:
    """Queues the listing of ``tokens`` and their configuration. Their price sources are set already."""
    configurator = deployer.at(aave.configurator, contract_artifact("PoolConfigurator").abi)
    listings = [_listing(aave, token, risk[symbol]) for symbol, token in tokens.items()]
    deployer.call(configurator, "initReserves", listings, gas=len(listings) * LISTING_GAS)
    for symbol, token in tokens.items():
        configure_reserve(deployer, configurator, token, risk[symbol])


def rate_data(spec: RiskSpec) -> bytes:
    """Interest rate parameters as the configurator takes them."""
    return encode(("uint16", "uint32", "uint32", "uint32"), _CURVES["volatile" if spec.volatile else "stable"])


def _listing(aave: AaveLayout, token: Token, spec: RiskSpec) -> tuple[object, ...]:
    rates = rate_data(spec)
    name, no_params = token.symbol, b""
    names = (f"a{name}", f"a{name}", f"v{name}", f"v{name}")
    return (aave.a_token_impl, aave.v_token_impl, token.address, *names, no_params, rates)


def read_reserve(pool: Contract, token: Token) -> Reserve:
    """Where a listed asset's tokens are."""
    data = pool.call("getReserveData", token.address)
    reserve_id, a_token, _no_stable_debt, v_token = data[7:11]
    return Reserve(token.symbol, token.address, token.decimals, reserve_id, a_token, v_token)


def add_emode(deployer: Deployer, aave: AaveLayout, emode: EMode, tokens: Mapping[str, Token]) -> None:
    """Queues an e-mode category with its members."""
    configurator = deployer.at(aave.configurator, contract_artifact("PoolConfigurator").abi)
    deployer.call(configurator, "setEModeCategory", emode.id, emode.ltv, emode.threshold, emode.bonus, emode.label)
    add_emode_members(deployer, configurator, emode, tokens)


def add_emode_members(deployer: Deployer, configurator: Contract, emode: EMode, tokens: Mapping[str, Token]) -> None:
    """Queues the membership of each asset, as collateral and as what can be borrowed."""
    for symbol in emode.members:
        asset = tokens[symbol].address
        deployer.call(configurator, "setAssetCollateralInEMode", asset, emode.id, True)
        deployer.call(configurator, "setAssetBorrowableInEMode", asset, emode.id, True)
