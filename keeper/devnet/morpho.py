"""A Morpho Blue in a world, and hands to move it: what users, liquidators, creators of markets and owners do.

Law: Morpho itself is the real one. The adaptive rate model, the oracle of feeds and the pre-liquidations are fixtures
with the same maths, events and views as Morpho's (``contracts/*.vy`` say so). Tokens that a user needs are minted on
the spot; a method that ends in ``_tx`` or ``_txs`` is for ``Rpc.send_all``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN, FEED_DECIMALS, LENDER
from keeper.devnet.lenders import MorphoMarket, morpho_artifact
from keeper.devnet.rpc import Receipt, Tx
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World

_CONTRACTS: Final = Path(__file__).parent / "contracts"
LIMITS: Final = (385, 625, 770, 860, 915, 945, 965, 980)  # thousandths: what Morpho's owners enabled on mainnet
_NO_VAULT: Final = (ZERO_ADDRESS, 1)
_NO_DATA: Final = b""


class Morpho:
    """A Morpho of a world, with rate models and a factory of pre-liquidations."""

    def __init__(self, world: World, contract: Contract, adaptive: Contract, factory: Contract) -> None:
        self.world = world
        self.contract = contract
        self.adaptive = adaptive
        self.factory = factory
        self.markets: list[MorphoMarket] = []

    @classmethod
    def deploy(cls, world: World) -> "Morpho":
        """A new one without markets."""
        deployer = Deployer(world.rpc, ADMIN)
        contract = deployer.create(morpho_artifact("Morpho"), ADMIN)
        adaptive = deployer.create(_fixture("adaptive_curve_irm"), contract.address)
        template = deployer.create(_fixture("pre_liquidation"))
        factory = deployer.create(_fixture("pre_liquidation_factory"), contract.address, template.address)
        deployer.call(contract, "enableIrm", adaptive.address)
        deployer.call(contract, "enableIrm", ZERO_ADDRESS)
        for limit in LIMITS:
            deployer.call(contract, "enableLltv", limit * WAD // 1000)
        deployer.flush()
        return cls(world, contract, adaptive, factory)

    @property
    def address(self) -> Address:
        return self.contract.address

    # markets -------------------------------------------------------------------------------------------------------

    def feed_oracle(self, collateral: str, loan: str, vault: tuple[Address, int] = _NO_VAULT) -> Address:
        """A price out of both tokens' feeds; ``vault`` and its sample if the collateral is a share of one.

        ``collateral`` then names what the vault holds.
        """
        feeds, tokens = self.world.layout.feeds, self.world.layout.tokens
        base, quote = feeds[collateral].proxy, feeds[loan].proxy
        decimals = tokens[collateral].decimals, tokens[loan].decimals
        return self.oracle((*vault, base, ZERO_ADDRESS, decimals[0]), (*_NO_VAULT, quote, ZERO_ADDRESS, decimals[1]))

    def oracle(self, base: Sequence[object], quote: Sequence[object]) -> Address:
        """Vault, sample, two feeds and decimals of each side."""
        deployer = Deployer(self.world.rpc, ADMIN)
        oracle = deployer.create(_fixture("chainlink_oracle"), *base, *quote)
        deployer.flush()
        return oracle.address

    def told_oracle(self, price: int) -> Contract:
        """Morpho's own mock: says what it is told (``setPrice``), and is no model to anybody."""
        deployer = Deployer(self.world.rpc, ADMIN)
        oracle = deployer.create(morpho_artifact("OracleMock"))
        deployer.call(oracle, "setPrice", price)
        deployer.flush()
        return oracle

    def told_vault(self, rate: int = WAD) -> Contract:
        """Gives so many assets for a share as it is told (``set_rate``)."""
        deployer = Deployer(self.world.rpc, ADMIN)
        vault = deployer.create(_fixture("told_vault"))
        deployer.call(vault, "set_rate", rate)
        deployer.flush()
        return vault

    def simple_irm(self) -> Address:
        """Morpho's own mock: a rate as high as the utilisation, and no word about it in any log."""
        deployer = Deployer(self.world.rpc, ADMIN)
        model = deployer.create(morpho_artifact("IrmMock"))
        deployer.call(self.contract, "enableIrm", model.address)
        deployer.flush()
        return model.address

    def create_market(
        self, collateral: Address, loan: Address, oracle: Address, limit: int = 860, irm: Address | None = None
    ) -> MorphoMarket:
        """With the adaptive rate model unless another is named; ``limit`` in thousandths."""
        model = self.adaptive.address if irm is None else irm
        market = MorphoMarket(loan, collateral, oracle, model, limit * WAD // 1000)
        self.contract.send("createMarket", market.params, sender=ADMIN)
        self.markets.append(market)
        return market

    def add_market(self, collateral: str, loan: str, limit: int = 860, lent: int = 0) -> MorphoMarket:
        """At the feeds' prices, by the names of tokens."""
        tokens = (self.world.asset(collateral), self.world.asset(loan))
        market = self.create_market(*tokens, self.feed_oracle(collateral, loan), limit)
        if lent:
            self.world.rpc.send_all(self.supply_txs(LENDER, market, lent))
        return market

    # users ---------------------------------------------------------------------------------------------------------

    def paid_for(self, token: Address, account: Address, amount: int, spender: Address | None = None) -> list[Tx]:
        """New tokens in an account's hand, and Morpho (or another) allowed to take them."""
        symbol = next(token_.symbol for token_ in self.world.layout.tokens.values() if token_.address == token)
        return self.world.hand_out(symbol, account, amount, spender or self.address)

    def supply_txs(self, account: Address, market: MorphoMarket, assets: int) -> list[Tx]:
        supply = self.contract.tx("supply", market.params, assets, 0, account, _NO_DATA, sender=account)
        return [*self.paid_for(market.loan, account, assets), supply]

    def pledge_txs(self, account: Address, market: MorphoMarket, assets: int) -> list[Tx]:
        """``supplyCollateral``."""
        pledge = self.contract.tx("supplyCollateral", market.params, assets, account, _NO_DATA, sender=account)
        return [*self.paid_for(market.collateral, account, assets), pledge]

    def borrow_tx(self, account: Address, market: MorphoMarket, assets: int, shares: int = 0) -> Tx:
        return self.contract.tx("borrow", market.params, assets, shares, account, account, sender=account)

    def repay_txs(self, account: Address, market: MorphoMarket, assets: int, shares: int = 0) -> list[Tx]:
        repay = self.contract.tx("repay", market.params, assets, shares, account, _NO_DATA, sender=account)
        return [*self.paid_for(market.loan, account, self.debt(account, market) * 2 + assets + 1), repay]

    def liquidate_txs(
        self, liquidator: Address, market: MorphoMarket, account: Address, seized: int = 0, shares: int = 0
    ) -> list[Tx]:
        """A bare call paid from the liquidator's own tokens."""
        call = self.contract.tx("liquidate", market.params, account, seized, shares, _NO_DATA, sender=liquidator)
        return [*self.paid_for(market.loan, liquidator, 2 * self.debt(account, market) + 1), call]

    def borrower(self, account: Address, market: MorphoMarket, collateral: int, debt: int) -> None:
        """Somebody with a position."""
        self.world.fund(account)
        self.world.rpc.send_all([*self.pledge_txs(account, market, collateral), self.borrow_tx(account, market, debt)])

    def position(self, account: Address, market: MorphoMarket) -> tuple[int, int, int]:
        """Supply shares, borrow shares, collateral."""
        found = self.contract.call("position", market_id(market), account)
        return int(found[0]), int(found[1]), int(found[2])

    def totals(self, market: MorphoMarket) -> tuple[int, ...]:
        """A market's storage: supply assets and shares, borrow assets and shares, last update, fee."""
        return tuple(int(value) for value in self.contract.call("market", market_id(market)))

    def debt(self, account: Address, market: MorphoMarket) -> int:
        """As of the market's last update, rounded up."""
        _, _, assets, shares, _, _ = self.totals(market)
        return -(-self.position(account, market)[1] * (assets + 1) // (shares + 10**6))

    # pre-liquidations ----------------------------------------------------------------------------------------------

    def offer(
        self,
        market: MorphoMarket,
        limit: int,
        close_factor: tuple[int, int],
        incentive: tuple[int, int],
        oracle: Address | None = None,
    ) -> Contract:
        """A pre-liquidation contract; all numbers in thousandths."""
        terms = (*(value * WAD // 1000 for value in (limit, *close_factor, *incentive)), oracle or market.oracle)
        made = self.factory.call("createPreLiquidation", market_id(market), terms)
        self.factory.send("createPreLiquidation", market_id(market), terms, sender=ADMIN)
        return Contract(self.world.rpc, made, _fixture("pre_liquidation").abi)

    def consent(self, account: Address, offer: Address, *, given: bool = True) -> Receipt:
        """``setAuthorization``."""
        return self.contract.send("setAuthorization", offer, given, sender=account)


def market_id(market: MorphoMarket) -> bytes:
    """The hash of its parameters."""
    return keccak(encode(["address", "address", "address", "address", "uint256"], list(market.params)))


def market_key(market: MorphoMarket) -> str:
    """The id as logs have it."""
    return "0x" + market_id(market).hex()


def feed_price(world: World, collateral: str, loan: str) -> int:
    """What ``feed_oracle`` answers now."""
    held, owed = world.layout.tokens[collateral], world.layout.tokens[loan]
    answers = [world.feed_price(symbol) for symbol in (collateral, loan)]
    scale = 36 + owed.decimals + FEED_DECIMALS - held.decimals - FEED_DECIMALS
    return int(10**scale) * answers[0] // answers[1]


def _fixture(name: str) -> Artifact:
    return vyper_artifact(_CONTRACTS / f"{name}.vy")
