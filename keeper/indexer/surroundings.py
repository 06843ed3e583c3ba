"""What decisions depend on beside books and pools, at the same block: lenders, oracles, a rollup's charges.

Law: everything is read once for each block, all of it together and pinned to the block; what no guard compares with is
not read. What cannot be read ends the step like any failed read: nothing is decided on yesterday's ages.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from keeper.core.events import Block
from keeper.core.plans import FundingKind
from keeper.core.ports import Chain, InquiryOf, Loan, Result
from keeper.core.units import Address
from keeper.core.venues import Pool
from keeper.errors import RpcError
from keeper.estimator.ask import data_fee, loans, readings, rollup, sequencer
from keeper.estimator.guards import Sequencer
from keeper.estimator.rollup import DataFee, NoDataFee
from keeper.estimator.world import Oracles
from keeper.indexer.inquire import inquire
from keeper.venues.uniswap_v3.twap import mean_ticks


@dataclass(frozen=True, slots=True)
class Caution:
    """What to look at."""

    heartbeat: int  # seconds within which every feed promises an update
    sequencer: Address | None = None
    twap: int = 0  # seconds; 0: pools' prices as they are
    lenders: tuple[tuple[FundingKind, Address], ...] = ()  # beside the markets themselves


class Surroundings:
    """Keeps what the guards compare prices with, and what bytes cost."""

    def __init__(
        self,
        chain: Chain,
        caution: Caution,
        *,
        tokens: Callable[[], Sequence[Address]],
        feeds: Callable[[], Mapping[Address, Address]],
        pools: Callable[[], Iterable[Pool]],
    ) -> None:
        self.caution = caution
        self.oracles = Oracles()
        self.loans: Sequence[Loan] = ()
        self.data_fee: DataFee = NoDataFee()
        self._chain, self._tokens, self._feeds, self._pools = chain, tokens, feeds, pools
        self._kind: type[DataFee] | None = None

    async def advance(self, block: Block) -> None:
        """Bring everything to a block."""
        if self._kind is None:
            self._kind = await self._ask(rollup(), block)
        self.oracles, fee, self.loans = await asyncio.gather(
            self._oracles(block), self._ask(data_fee(self._kind), block), self._loans(block)
        )
        if fee is None:
            raise RpcError(f"the rollup's contracts do not say what block {block.number} charges", transient=True)
        self.data_fee = fee

    async def _oracles(self, block: Block) -> Oracles:
        seen = self._ask(readings(self._feeds(), self.caution.heartbeat), block)
        return Oracles(*await asyncio.gather(seen, self._sequencer(block), self._ticks(block)))

    async def _sequencer(self, block: Block) -> Sequencer | None:
        feed = self.caution.sequencer
        return None if feed is None else await self._ask(sequencer(feed), block)

    async def _ticks(self, block: Block) -> Mapping[Address, int]:
        seconds = self.caution.twap
        return await self._ask(mean_ticks(self._pools(), seconds), block) if seconds else {}

    async def _loans(self, block: Block) -> Sequence[Loan]:
        tokens = self._tokens()
        lists = (self._ask(loans(kind, source, tokens), block) for kind, source in self.caution.lenders)
        return [loan for found in await asyncio.gather(*lists) for loan in found]

    async def _ask(self, inquiry: InquiryOf[Result], block: Block) -> Result:
        return await inquire(self._chain, inquiry, block, block.number)
