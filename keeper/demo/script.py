"""What happens in the demonstration, slot by slot: a calm start, a crash, a lost websocket, a reorganisation, an end.

Law: the same seed plays the same story. The market falls first: pools and feeds move in one slot.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from keeper.core.units import Address
from keeper.devnet.rpc import Tx
from keeper.devnet.uniswap import sides_of
from keeper.devnet.world import World

TRADER: Final = Address("0x15d34aaf54267db7d7c367839aaf71a00a2c6a65")  # account 4 of the test mnemonic
PLENTY: Final = 2**120
DEADLINE: Final = 2**40
CALM: Final = 5  # slots
CRASH: Final = (0.97, 0.95, 0.94, 0.96, 0.95, 0.97)  # a factor a slot, for everything that is not a stable coin
DROP: Final = 2  # the slot of the crash in which all websockets are cut
AFTER: Final = 12
REORG: Final = 4  # the slot of the crash after which blocks are replaced, so many:
DEPTH: Final = 2
VOLATILE: Final = ("WETH", "WBTC", "LINK", "WSTETH")


@dataclass(frozen=True, slots=True)
class Moment:
    """What one slot brings."""

    factor: float
    drop_socket: bool = False
    reorg: int = 0
    words: str = ""


def story(seed: int) -> tuple[Moment, ...]:
    """All moments in order."""
    draw = random.Random(seed)  # noqa: S311 - a story, not a secret
    calm = [Moment(1 + draw.uniform(-0.004, 0.004), words="calm") for _ in range(CALM)]
    crash = [
        Moment(factor * draw.uniform(0.995, 1.005), at == DROP, DEPTH if at == REORG else 0, words="the crash")
        for at, factor in enumerate(CRASH)
    ]
    after = [Moment(1 + draw.uniform(-0.006, 0.01), words="the aftermath") for _ in range(AFTER)]
    return (*calm, *crash, *after)


class Actors:
    """The oracle node and the arbitrageurs. Their transactions are public scenery."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._prices = {symbol: world.price(symbol) for symbol in VOLATILE}

    def prepare(self) -> None:
        """Everything traders need, before the first slot."""
        self._world.fund(TRADER)
        uniswap = self._world.layout.uniswap
        for symbol in self._world.layout.tokens:
            for router in (uniswap.router, uniswap.v2_router):
                self._world.rpc.send_all(self._world.hand_out(symbol, TRADER, PLENTY, router))

    def follow(self) -> list[Tx]:
        """Trades that bring every pool to the newest prices."""
        uniswap = self._world.layout.uniswap
        return [
            *(tx for name in uniswap.pools for tx in self._aligned(name)),
            *(tx for name in uniswap.pairs for tx in self._balanced(name)),
        ]

    def _balanced(self, name: str) -> Sequence[Tx]:
        """The same for a constant-product pair: sell until the reserves stand in the ratio of the prices."""
        world = self._world
        one, other = name.split("/")
        prices = {symbol: self._price(symbol) for symbol in (one, other)}
        sides = sides_of(world.layout.tokens, prices, one, other)
        reserve0, reserve1, _ = world.v2_pair(name).call("getReserves")
        wanted = isqrt((reserve0 * reserve1 << 192) // sides.sqrt_price_x96**2)
        order = [sides.token0, sides.token1] if wanted > reserve0 else [sides.token1, sides.token0]
        amount = wanted - reserve0 if wanted > reserve0 else reserve0 * reserve1 // wanted - reserve1
        if amount * 2_000 < (reserve0 if wanted > reserve0 else reserve1):
            return []  # nearer than the fee
        swap = (amount, 0, order, TRADER, DEADLINE)
        return [world.v2_router.tx("swapExactTokensForTokens", *swap, sender=TRADER)]

    def _price(self, symbol: str) -> int:
        return self._prices.get(symbol) or self._world.feed_price(symbol)

    def _aligned(self, name: str) -> Sequence[Tx]:
        world = self._world
        one, other, fee = name.split("/")
        prices = {symbol: self._price(symbol) for symbol in (one, other)}
        sides = sides_of(world.layout.tokens, prices, one, other)
        now, target = world.v3_pool(name).call("slot0")[0], sides.sqrt_price_x96
        if now == target:
            return []
        sold = sides.token0 if target < now else sides.token1
        bought = sides.token1 if target < now else sides.token0
        order = (sold, bought, int(fee), TRADER, DEADLINE, PLENTY // 1000, 0, target)
        return [world.router.tx("exactInputSingle", order, sender=TRADER)]

    def move(self, moment: Moment) -> list[Tx]:
        """New answers of the feeds."""
        self._prices = {symbol: int(price * moment.factor) for symbol, price in self._prices.items()}
        return [self._world.set_price_tx(symbol, price) for symbol, price in self._prices.items()]

    def stage(self, txs: Sequence[Tx]) -> None:
        """Hand transactions to the node; the next slot takes them up."""
        for tx in txs:
            self._world.rpc.rpc("eth_sendTransaction", tx.params())
