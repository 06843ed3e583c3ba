"""Handles on everything that a world holds.

Law: nothing here moves the market; it only finds contracts, gives out tokens and ether, and tells the time.
"""

from functools import cached_property
from typing import Final

import msgspec

from keeper.core.units import MAX_U256, Address
from keeper.devnet import feeds, uniswap
from keeper.devnet.anvil import Anvil
from keeper.devnet.contract import Contract
from keeper.devnet.kits import AaveKit, kit
from keeper.devnet.layout import Layout
from keeper.devnet.rpc import Rpc, Tx
from keeper.devnet.tokens import erc20

ETHER: Final = 10**18


class Stage:
    """A chain and what is on it."""

    def __init__(self, anvil: Anvil, layout: Layout) -> None:
        self.anvil = anvil
        self.layout = layout

    def learn(self, **news: object) -> None:
        """Changes fields of the layout."""
        self.layout = msgspec.structs.replace(self.layout, **news)

    @property
    def rpc(self) -> Rpc:
        return self.anvil.rpc

    @property
    def version(self) -> str:
        """Of Aave."""
        return self.layout.version

    @property
    def kit(self) -> AaveKit:
        return kit(self.layout.version)

    @cached_property
    def pool(self) -> Contract:
        return self._aave("Pool", self.layout.aave.pool)

    @cached_property
    def configurator(self) -> Contract:
        return self._aave("PoolConfigurator", self.layout.aave.configurator)

    @cached_property
    def oracle(self) -> Contract:
        return self._aave("AaveOracle", self.layout.aave.oracle)

    @cached_property
    def provider(self) -> Contract:
        return self._aave("PoolAddressesProvider", self.layout.aave.provider)

    @cached_property
    def router(self) -> Contract:
        return self.uniswap_contract("SwapRouter", self.layout.uniswap.router)

    @cached_property
    def quoter(self) -> Contract:
        return self.uniswap_contract("QuoterV2", self.layout.uniswap.quoter)

    @cached_property
    def v2_router(self) -> Contract:
        return self.uniswap_contract("UniswapV2Router02", self.layout.uniswap.v2_router)

    def v3_pool(self, name: str) -> Contract:
        """A pool by its name, as ``WETH/USDC/500``."""
        return self.uniswap_contract("UniswapV3Pool", self.layout.uniswap.pools[name])

    def v2_pair(self, name: str) -> Contract:
        """A pair by its name, as ``WETH/USDC``."""
        return self.uniswap_contract("UniswapV2Pair", self.layout.uniswap.pairs[name])

    def uniswap_contract(self, name: str, address: Address) -> Contract:
        return Contract(self.rpc, address, uniswap.contract_artifact(name).abi)

    def _aave(self, name: str, address: Address) -> Contract:
        return Contract(self.rpc, address, self.kit.contract_artifact(name).abi)

    def aggregator(self, symbol: str) -> Contract:
        """The feed's aggregator, where answers are submitted and events come from."""
        return Contract(self.rpc, self.layout.feeds[symbol].aggregator, feeds.flux().abi)

    def asset(self, symbol: str) -> Address:
        return self.layout.tokens[symbol].address

    def token(self, symbol: str) -> Contract:
        """The underlying."""
        return Contract(self.rpc, self.asset(symbol), erc20())

    def a_token(self, symbol: str) -> Contract:
        return self._aave("AToken", self.layout.reserves[symbol].a_token)

    def v_token(self, symbol: str) -> Contract:
        return self._aave("VariableDebtToken", self.layout.reserves[symbol].v_token)

    def units(self, symbol: str, whole: float) -> int:
        """An amount of whole tokens in the token's smallest unit."""
        return int(whole * self.layout.tokens[symbol].unit)

    def fund(self, *accounts: Address, wei: int = 1_000 * ETHER) -> None:
        """Ether for gas."""
        self.rpc.batch([("anvil_setBalance", (account, hex(wei))) for account in accounts])

    def mint_token(self, symbol: str, to: Address, amount: int) -> None:
        """Tokens out of nothing."""
        self.token(symbol).send("mint(address,uint256)", to, amount, sender=to)

    def hand_out(self, symbol: str, account: Address, amount: int, spender: Address) -> list[Tx]:
        """What gives ``account`` that many new tokens and lets ``spender`` take them: for ``Rpc.send_all``."""
        token = self.token(symbol)
        mint = token.tx("mint(address,uint256)", account, amount, sender=account)
        allowed = int(token.call("allowance", account, spender))
        if allowed >= amount:
            return [mint]
        values = (0, MAX_U256) if allowed else (MAX_U256,)  # some tokens insist on a reset
        return [mint, *(token.tx("approve", spender, value, sender=account) for value in values)]

    def balance(self, symbol: str, account: Address, block: str | int = "latest") -> int:
        return int(self.token(symbol).call("balanceOf", account, block=block))

    def timestamp(self) -> int:
        """Of the latest block."""
        return int(self.rpc.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def block_number(self) -> int:
        return int(self.rpc.rpc("eth_blockNumber"), 16)

    def advance(self, seconds: int) -> None:
        """An empty block that much later."""
        self.rpc.rpc("evm_setNextBlockTimestamp", self.timestamp() + seconds)
        self.rpc.rpc("evm_mine")
