"""Venus core 10.3 from the artifacts of its own packages: Diamond and facets, lens, vTokens, VAI, Liquidator, oracles.

Law: the only contract here that is not Venus's is the sink for its income (``share_reserve.vy``). Access control is
the mock of Venus's own package, which lets the administrator do everything. A block's interest is about what twenty
blocks of the real chain bear, so that a short walk sees some.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from keeper.core.units import MAX_U256, WAD, ZERO_ADDRESS, Address
from keeper.devnet.abi import Abi
from keeper.devnet.contract import Artifact, Contract, Deployer, artifact
from keeper.devnet.layout import ADMIN, Feed, Token
from keeper.devnet.packages import VENUS, VENUS_ORACLE, Package
from keeper.devnet.vyper import vyper_artifact

NATIVE: Final = Address("0x" + "bb" * 20)  # how the oracle calls the chain's own coin
BLOCKS_PER_YEAR: Final = 500_000
_SHARE_RESERVE: Final = Path(__file__).parent / "contracts" / "share_reserve.vy"
_ROOT: Final = "artifacts/contracts"
_FOLDERS: Final = {
    "Diamond": "Comptroller/Diamond",
    "MarketFacet": "Comptroller/Diamond/facets",
    "PolicyFacet": "Comptroller/Diamond/facets",
    "SetterFacet": "Comptroller/Diamond/facets",
    "Unitroller": "Comptroller",
    "ComptrollerLens": "Lens",
    "JumpRateModel": "InterestRateModels",
    "TwoKinksInterestRateModel": "InterestRateModels",
    "Liquidator": "Liquidator",
    "VAI": "Tokens/VAI",
    "VAIController": "Tokens/VAI",
    "VAIUnitroller": "Tokens/VAI",
    "VBNB": "Tokens/VTokens",
    "VBep20Delegate": "Tokens/VTokens",
    "VBep20Delegator": "Tokens/VTokens",
    "AccessControlManagerMock": "test",
}
_FACETS: Final = ("MarketFacet", "PolicyFacet", "SetterFacet")
_DECIMALS: Final = 8  # of every vToken
_FRESH: Final = 10**9  # seconds for which an answer of a feed is taken: the world jumps by months
_PERCENT: Final = 10**16
_GAS: Final = 12_000_000  # the cuts and the larger implementations


class Terms(msgspec.Struct, frozen=True):
    """How a market is configured, in percent."""

    factor: int
    threshold: int
    incentive: int
    reserve_factor: int = 10
    kinked_twice: bool = False


TERMS: Final = {
    "WETH": Terms(78, 81, 110),
    "USDC": Terms(80, 83, 108, kinked_twice=True),
    "WBTC": Terms(75, 78, 110, 20),
    "DAI": Terms(72, 75, 110, kinked_twice=True),
    "LINK": Terms(60, 65, 112, 25),
    "TIX": Terms(50, 60, 115),
}


class VenusMarket(msgspec.Struct, frozen=True):
    """A vToken. ``underlying`` is zero for the market of the chain's own coin."""

    symbol: str
    v_token: Address
    underlying: Address
    decimals: int


class VenusLayout(msgspec.Struct, frozen=True):
    """Everything can be found from ``comptroller``, as on mainnet."""

    comptroller: Address
    resilient_oracle: Address
    chainlink_oracle: Address
    bounded_oracle: Address
    liquidator: Address
    vai_controller: Address
    vai: Address
    access: Address
    share_reserve: Address
    delegate: Address
    models: tuple[Address, Address]  # one kink, two
    markets: dict[str, VenusMarket]


def contract_artifact(name: str) -> Artifact:
    """A contract of either package by its name."""
    if name in ("ResilientOracle", "BoundValidator", "ChainlinkOracle"):
        folder = "" if name == "ResilientOracle" else "/oracles"
        return artifact(VENUS_ORACLE, f"{_ROOT}{folder}/{name}.sol/{name}.json")
    path = {
        "ERC1967Proxy": "artifacts/@openzeppelin/contracts/proxy/ERC1967",
        "DeviationBoundedOracle": "artifacts/@venusprotocol/oracle/contracts",
    }.get(name) or f"{_ROOT}/{_FOLDERS[name]}"
    package: Package = VENUS
    return artifact(package, f"{path}/{name}.sol/{name}.json")


def comptroller_abi() -> Abi:
    """What the comptroller understands: the Diamond and all of its facets."""
    items = [item for name in ("Diamond", *_FACETS) for item in contract_artifact(name).abi.items]
    return Abi([item for at, item in enumerate(items) if item["type"] != "constructor" and item not in items[:at]])


def deploy_venus(
    deployer: Deployer, tokens: Mapping[str, Token], feeds: Mapping[str, Feed], *, direct: bool = False
) -> VenusLayout:
    """A core pool with a market of each token that has terms, and of the chain's own coin (priced as WETH).

    ``direct``: liquidators call the vTokens, as it was before there was a Liquidator and as it is in other forks.
    """
    access = deployer.create(contract_artifact("AccessControlManagerMock"), ADMIN)
    sink = deployer.create(vyper_artifact(_SHARE_RESERVE))
    comptroller = _comptroller(deployer)
    models = _models(deployer)
    vai, controller = _vai(deployer, comptroller, access)
    native = deployer.create(
        contract_artifact("VBNB"),
        comptroller.address,
        models[0],
        2 * WAD * 10**8,
        "Venus BNB",
        "vBNB",
        _DECIMALS,
        ADMIN,
    )
    chainlink, resilient, bounded = _oracles(deployer, access, native.address, vai.address)
    layout = VenusLayout(
        comptroller=comptroller.address,
        resilient_oracle=resilient.address,
        chainlink_oracle=chainlink.address,
        bounded_oracle=bounded.address,
        liquidator=ZERO_ADDRESS,
        vai_controller=controller.address,
        vai=vai.address,
        access=access.address,
        share_reserve=sink.address,
        delegate=deployer.create(contract_artifact("VBep20Delegate")).address,
        models=models,
        markets={},
    )
    for function, argument in (
        ("_setAccessControl", access.address),
        ("_setComptrollerLens", deployer.create(contract_artifact("ComptrollerLens")).address),
        ("_setPriceOracle", resilient.address),
        ("setDeviationBoundedOracle", bounded.address),
        ("_setCloseFactor", WAD // 2),
        ("_setVAIController", controller.address),
        ("_setVAIMintRate", 4_000),
    ):
        deployer.call(comptroller, function, argument)
    listed = [
        list_market(deployer, layout, tokens[symbol], feeds[symbol], terms)
        for symbol, terms in TERMS.items()
        if symbol in tokens
    ]
    bnb = VenusMarket("BNB", native.address, ZERO_ADDRESS, 18)
    _configure(deployer, layout, bnb, feeds["WETH"], TERMS["WETH"])
    liquidator = _liquidator(deployer, layout, native.address, tokens["WETH"].address)
    if not direct:
        deployer.call(comptroller, "_setLiquidatorContract", liquidator.address)
    deployer.flush()
    markets = {market.symbol: market for market in (*listed, bnb)}
    return msgspec.structs.replace(layout, liquidator=liquidator.address, markets=markets)


def list_market(deployer: Deployer, venus: VenusLayout, token: Token, feed: Feed, terms: Terms) -> VenusMarket:
    """Queues a vToken of a token and its configuration."""
    v_token = deployer.create(
        contract_artifact("VBep20Delegator"),
        token.address, venus.comptroller, venus.models[terms.kinked_twice], _first_rate(token.decimals),
        f"Venus {token.symbol}", f"v{token.symbol}", _DECIMALS, ADMIN, venus.delegate, b"",
    )  # fmt: skip
    market = VenusMarket(token.symbol, v_token.address, token.address, token.decimals)
    _configure(deployer, venus, market, feed, terms)
    return market


def _first_rate(decimals: int) -> int:
    """Fifty whole vTokens for a whole token."""
    return 2 * WAD // 100 * int(10**decimals) // int(10**_DECIMALS)


def _configure(deployer: Deployer, venus: VenusLayout, market: VenusMarket, feed: Feed, terms: Terms) -> None:
    v_token = deployer.at(market.v_token, contract_artifact("VBep20Delegate").abi)
    comptroller = deployer.at(venus.comptroller, comptroller_abi())
    set_feed(deployer, venus, NATIVE if market.underlying == ZERO_ADDRESS else market.underlying, feed.proxy)
    blocks_between_payments = 40
    deployer.call(v_token, "setAccessControlManager", venus.access)
    deployer.call(v_token, "setProtocolShareReserve", venus.share_reserve)
    deployer.call(v_token, "setReduceReservesBlockDelta", blocks_between_payments)
    deployer.call(v_token, "_setReserveFactor", terms.reserve_factor * _PERCENT)
    deployer.call(comptroller, "_supportMarket", market.v_token)
    core_pool = 0
    deployer.call(comptroller, "setIsBorrowAllowed", core_pool, market.v_token, True)
    for caps in ("setMarketBorrowCaps", "setMarketSupplyCaps"):
        deployer.call(comptroller, caps, [market.v_token], [MAX_U256])
    deployer.call(
        comptroller, "setCollateralFactor(address,uint256,uint256)",
        market.v_token, terms.factor * _PERCENT, terms.threshold * _PERCENT,
    )  # fmt: skip
    deployer.call(comptroller, "setLiquidationIncentive(address,uint256)", market.v_token, terms.incentive * _PERCENT)


def set_feed(deployer: Deployer, venus: VenusLayout, asset: Address, feed: Address, fresh: int = _FRESH) -> None:
    """Queues what makes a feed the only source of an asset's price."""
    chainlink = deployer.at(venus.chainlink_oracle, contract_artifact("ChainlinkOracle").abi)
    resilient = deployer.at(venus.resilient_oracle, contract_artifact("ResilientOracle").abi)
    deployer.call(chainlink, "setTokenConfig", (asset, feed, fresh))
    main = [venus.chainlink_oracle, ZERO_ADDRESS, ZERO_ADDRESS]
    deployer.call(resilient, "setTokenConfig", (asset, main, [True, False, False], False))


def _comptroller(deployer: Deployer) -> Contract:
    unitroller = deployer.create(contract_artifact("Unitroller"))
    diamond = deployer.create(contract_artifact("Diamond"))
    deployer.call(unitroller, "_setPendingImplementation", diamond.address)
    deployer.call(diamond, "_become", unitroller.address)
    comptroller = Contract(deployer.rpc, unitroller.address, comptroller_abi())
    known = set(diamond.abi.selectors())
    cuts = []
    add = 0
    for name in _FACETS:
        facet = deployer.create(contract_artifact(name))
        fresh = [selector for selector in facet.abi.selectors() if selector not in known]
        known.update(fresh)
        cuts.append((facet.address, add, [bytes.fromhex(selector[2:]) for selector in fresh]))
    deployer.call(comptroller, "diamondCut", cuts, gas=_GAS)
    return comptroller


def _models(deployer: Deployer) -> tuple[Address, Address]:
    one = deployer.create(
        contract_artifact("JumpRateModel"), 0, 15 * _PERCENT, 109 * _PERCENT, 80 * _PERCENT, BLOCKS_PER_YEAR
    )
    numbers = (0, 10, 60, 25, 6, 80, 90)  # percent: base, slope, kink; slope, base, kink; slope
    two = deployer.create(
        contract_artifact("TwoKinksInterestRateModel"), *(n * _PERCENT for n in numbers), BLOCKS_PER_YEAR
    )
    return one.address, two.address


def _vai(deployer: Deployer, comptroller: Contract, access: Contract) -> tuple[Contract, Contract]:
    """The stablecoin and its controller, with a stability fee."""
    vai = deployer.create(contract_artifact("VAI"), int(deployer.rpc.rpc("eth_chainId"), 16))
    unitroller = deployer.create(contract_artifact("VAIUnitroller"))
    brains = deployer.create(contract_artifact("VAIController"))
    deployer.call(unitroller, "_setPendingImplementation", brains.address)
    deployer.call(brains, "_become", unitroller.address)
    controller = brains.at(unitroller.address)
    deployer.call(controller, "initialize")
    for function, argument in (
        ("_setComptroller", comptroller.address),
        ("setVAIToken", vai.address),
        ("setReceiver", ADMIN),
        ("setAccessControl", access.address),
        ("setBaseRate", 4 * _PERCENT),
    ):
        deployer.call(controller, function, argument)
    deployer.call(vai, "rely", controller.address)
    return vai, controller


def _oracles(
    deployer: Deployer, access: Contract, native: Address, vai: Address
) -> tuple[Contract, Contract, Contract]:
    """Chainlink behind the resilient oracle; the bounded one, which borrowing asks, on top."""
    chainlink = _proxied(deployer, access, "ChainlinkOracle")
    validator = _proxied(deployer, access, "BoundValidator")
    resilient = _proxied(deployer, access, "ResilientOracle", native, vai, validator.address)
    return chainlink, resilient, _proxied(deployer, access, "DeviationBoundedOracle", resilient.address, native, vai)


def _proxied(deployer: Deployer, access: Contract, name: str, *args: object) -> Contract:
    implementation = deployer.create(contract_artifact(name), *args)
    start = bytes.fromhex(implementation.fn("initialize", access.address)[2:])
    proxy = deployer.create(contract_artifact("ERC1967Proxy"), implementation.address, start)
    return implementation.at(proxy.address)


def _liquidator(deployer: Deployer, venus: VenusLayout, native: Address, wrapped: Address) -> Contract:
    """Half of the bonus to the treasury, as on mainnet; its constructor asks the comptroller, so all is mined first."""
    deployer.flush()
    implementation = deployer.create(contract_artifact("Liquidator"), venus.comptroller, native, wrapped)
    start = implementation.fn("initialize", WAD // 2, venus.access, venus.share_reserve)
    proxy = deployer.create(contract_artifact("ERC1967Proxy"), implementation.address, bytes.fromhex(start[2:]))
    liquidator = implementation.at(proxy.address)
    chunk = 10
    deployer.call(liquidator, "setPendingRedeemChunkLength", chunk)
    deployer.call(liquidator, "setMinLiquidatableVAI", 1_000 * WAD)
    deployer.call(liquidator, "resumeForceVAILiquidate")
    return liquidator
