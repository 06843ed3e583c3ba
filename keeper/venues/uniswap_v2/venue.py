"""Where v2 pairs are, how one is read, and how its ``Sync`` events move it.

Law: ``Sync`` carries both reserves, so no event is ever missed by more than one log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from keeper.core.events import Log, topic_address, word, word_address
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.core.venues import Finding, Loading, Pool, PoolKey, answered, view
from keeper.venues.uniswap_v2.pool import UniswapV2Pool

GET_PAIR: Final = "0xe6a43905"  # getPair(address,address)
GET_RESERVES: Final = "0x0902f1ac"  # getReserves()
PAIR_CREATED: Final = "0x0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9"
SYNC: Final = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"  # Sync(uint112,uint112)


@dataclass(frozen=True, slots=True)
class UniswapV2:
    """One factory. Forks differ in their fee, in hundredths of a bip."""

    factory: Address
    fee: int = 3_000

    def find(self, pairs: Sequence[tuple[Address, Address]]) -> Finding:
        """Ask the factory for each pair."""
        reads = {view(self.factory, GET_PAIR, *pair): pair for pair in pairs}
        answers = yield tuple(reads)
        found = ((answered(answers, read), pair) for read, pair in reads.items())
        keys = (PoolKey(word_address(data, 0), *pair, self.fee) for data, pair in found if data)
        return [key for key in keys if key.address != ZERO_ADDRESS]

    def created(self, log: Log) -> PoolKey | None:
        """``PairCreated(token0, token1, pair, count)``."""
        if log.topics[0] != PAIR_CREATED:
            return None
        return PoolKey(word_address(log.data, 0), topic_address(log.topics[1]), topic_address(log.topics[2]), self.fee)

    def load(self, key: PoolKey) -> Loading:
        """Read the reserves."""
        read = view(key.address, GET_RESERVES)
        data = answered((yield (read,)), read, 3)
        return UniswapV2Pool(key, word(data, 0), word(data, 1)) if data else None

    def apply(self, pool: Pool, log: Log) -> Pool | None:
        """Both reserves anew."""
        if not isinstance(pool, UniswapV2Pool):
            return None
        return replace(pool, reserve0=word(log.data, 0), reserve1=word(log.data, 1)) if log.topics[0] == SYNC else pool
