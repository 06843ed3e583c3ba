"""What a world consists of: tokens, feeds, markets and venues, and where they are.

Law: a layout is plain data. It is written beside the dump of the chain it describes and read back with it.
"""

from typing import Final

import msgspec

from keeper.core.units import ZERO_ADDRESS, Address

# Development accounts of anvil's well-known mnemonic. The first seven are free for whoever uses the world.
ADMIN: Final = Address("0xa0ee7a142d267c1f36714e4a8f75612f20a79720")  # number 9: owns and configures everything
REPORTER: Final = Address("0x23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f")  # number 8: the oracle node of all feeds
LENDER: Final = Address("0x14dc79964da2c08b23698b3d3cc7ca32193d9955")  # number 7: gives all liquidity
TREASURY: Final = Address("0x00000000000000000000000000000000007ea500")  # collects reserve factors and protocol fees

FEED_DECIMALS: Final = 8  # of every feed, and of Aave's base currency
USD: Final = 10**FEED_DECIMALS  # one dollar, as feeds and oracles count


class TokenSpec(msgspec.Struct, frozen=True):
    """A token before it exists, with the price (in units of 1e-8 dollars) the world starts from."""

    symbol: str
    decimals: int
    price: int


class RiskSpec(msgspec.Struct, frozen=True):
    """How a reserve is configured, in basis points."""

    ltv: int
    threshold: int
    bonus: int
    reserve_factor: int
    stable_rate: bool = False  # stable borrowing, where the version has it
    volatile: bool = True  # which of the two interest rate curves
    liquidation_fee: int = 1000


class EMode(msgspec.Struct, frozen=True):
    """An e-mode category. ``price_source`` exists up to 3.1 only; its members are collateral and can be borrowed."""

    id: int
    label: str
    members: tuple[str, ...]
    ltv: int
    threshold: int
    bonus: int
    price_source: Address = ZERO_ADDRESS


class Token(msgspec.Struct, frozen=True):
    """A deployed ERC-20."""

    symbol: str
    address: Address
    decimals: int

    @property
    def unit(self) -> int:
        return int(10**self.decimals)


class Feed(msgspec.Struct, frozen=True):
    """A Chainlink feed: readers call ``proxy``; ``AnswerUpdated`` comes from ``aggregator``."""

    proxy: Address
    aggregator: Address


class Reserve(msgspec.Struct, frozen=True):
    """An asset of the lending pool. ``s_token`` only where stable debt exists."""

    symbol: str
    asset: Address
    decimals: int
    id: int
    a_token: Address
    v_token: Address
    s_token: Address | None = None


class AaveLayout(msgspec.Struct, frozen=True):
    """A lending market. Everything can be found from ``provider``, as on mainnet."""

    provider: Address
    pool: Address
    configurator: Address
    oracle: Address
    acl: Address
    data_provider: Address
    a_token_impl: Address
    v_token_impl: Address
    s_token_impl: Address | None
    curves: dict[str, Address]  # interest rate strategies: "volatile" and "stable"
    liquidation_data: Address | None = None  # LiquidationDataProvider, since 3.3


class UniswapLayout(msgspec.Struct, frozen=True):
    """Both versions. Pools are named ``A/B/fee``, pairs ``A/B``, in the order of ``venues`` specifications."""

    v3_factory: Address
    position_manager: Address
    router: Address
    router02: Address
    quoter: Address
    tick_lens: Address
    multicall: Address
    v2_factory: Address
    v2_router: Address
    pools: dict[str, Address]
    pairs: dict[str, Address]


class Layout(msgspec.Struct, frozen=True):
    """All of it."""

    version: str
    chain_id: int
    tokens: dict[str, Token]
    feeds: dict[str, Feed]
    aave: AaveLayout
    reserves: dict[str, Reserve]
    uniswap: UniswapLayout
