"""What the owners of the market and of the feeds do to it.

Law: each method is mined when it returns, and ``layout`` knows what was added. What has the same form in all versions
goes through ``configure`` in the configurator's own words: ``configure("setReserveFreeze", "WETH", True)``.
"""

from keeper.core.units import ZERO_ADDRESS, Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.feeds import deploy_aggregator, deploy_feed, flux, proxy
from keeper.devnet.layout import ADMIN, REPORTER, EMode, Feed, RiskSpec, Token, TokenSpec
from keeper.devnet.rpc import Receipt
from keeper.devnet.stage import Stage
from keeper.devnet.tokens import deploy_token


class Governance(Stage):
    """Configuration, listings, feeds, the sentinel."""

    @property
    def _deployer(self) -> Deployer:
        return Deployer(self.rpc, ADMIN)

    def configure(self, function: str, symbol: str, *args: object) -> Receipt:
        """A function of the PoolConfigurator whose first argument is the asset."""
        return self.configurator.send(function, self.asset(symbol), *args, sender=ADMIN)

    def set_risk(self, symbol: str, ltv: int, threshold: int, bonus: int) -> Receipt:
        """LTV, liquidation threshold and bonus in basis points."""
        return self.configure("configureReserveAsCollateral", symbol, ltv, threshold, bonus)

    def pause(self, symbol: str, *, paused: bool, grace: int | None = None) -> Receipt:
        """Pauses or unpauses. ``grace``: seconds without liquidations after an unpause, since 3.1."""
        return self.configure("setReservePause", symbol, paused, *(() if grace is None else (grace,)))

    def set_emode_category(self, emode: EMode) -> None:
        """Adds or changes a category; members are only ever added.

        A price source is not a feed but one more key of the market's oracle; here the key is the feed's own address.
        """
        deployer = self._deployer
        if emode.price_source != ZERO_ADDRESS:
            deployer.call(self.oracle, "setAssetSources", [emode.price_source], [emode.price_source])
        self.kit.add_emode(deployer, self.layout.aave, emode, self.layout.tokens)
        deployer.flush()

    def set_source(self, symbol: str, source: Address) -> Receipt:
        """The contract that the market's oracle asks for the price of an asset."""
        return self.oracle.send("setAssetSources", [self.asset(symbol)], [source], sender=ADMIN)

    def add_feed(self, name: str, price: int) -> Feed:
        """A feed of its own; ``set_price(name, …)`` moves it."""
        deployer = self._deployer
        feed = deploy_feed(deployer, name)
        deployer.flush()
        first_round = 1
        Contract(self.rpc, feed.aggregator, flux().abi).send("submit", first_round, price, sender=REPORTER)
        self.learn(feeds={**self.layout.feeds, name: feed})
        return feed

    def replace_aggregator(self, symbol: str, price: int) -> Feed:
        """A new phase of the feed: another aggregator behind the same proxy, with a first answer."""
        deployer, feed = self._deployer, self.layout.feeds[symbol]
        aggregator = deploy_aggregator(deployer, f"{symbol} / USD")
        deployer.flush()
        first_round = 1
        aggregator.send("submit", first_round, price, sender=REPORTER)
        front = Contract(self.rpc, feed.proxy, proxy().abi)
        deployer.call(front, "proposeAggregator", aggregator.address)
        deployer.call(front, "confirmAggregator", aggregator.address)
        deployer.flush()
        moved = Feed(feed.proxy, aggregator.address)
        self.learn(feeds={**self.layout.feeds, symbol: moved})
        return moved

    def add_token(self, spec: TokenSpec) -> Token:
        """A token with a feed, not listed."""
        deployer = self._deployer
        token = Token(spec.symbol, deploy_token(deployer, spec).address, spec.decimals)
        deployer.flush()
        return self.know_token(token, spec.price)

    def know_token(self, token: Token, price: int) -> Token:
        """Takes a token that somebody deployed into the world and gives it a feed."""
        self.learn(tokens={**self.layout.tokens, token.symbol: token})
        self.add_feed(token.symbol, price)
        return token

    def add_reserve(self, symbol: str, risk: RiskSpec) -> None:
        """Lists a known token."""
        token = self.layout.tokens[symbol]
        self.set_source(symbol, self.layout.feeds[symbol].proxy)
        deployer = self._deployer
        self.kit.init_reserves(deployer, self.layout.aave, {symbol: token}, {symbol: risk})
        deployer.flush()
        self.learn(reserves={**self.layout.reserves, symbol: self.kit.read_reserve(self.pool, token)})

    def add_sentinel(self, grace: int) -> Contract:
        """A PriceOracleSentinel over a sequencer feed that says "up since genesis"; returns the feed.

        ``setAnswer(is_down, since, sender=ADMIN)`` of the feed takes the sequencer down.
        """
        deployer = self._deployer
        feed = deployer.create(self.kit.contract_artifact("SequencerOracle"), ADMIN)
        sentinel = deployer.create(
            self.kit.contract_artifact("PriceOracleSentinel"), self.layout.aave.provider, feed.address, grace
        )
        deployer.call(self.provider, "setPriceOracleSentinel", sentinel.address)
        deployer.flush()
        return feed
