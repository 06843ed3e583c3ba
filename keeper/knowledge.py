"""What decisions depend on beside books and pools: read at every block, tried now and then, and learned.

Laws
- What is read is of the block decided on. Tokens are tried at the start and every few hundred blocks, after the block's
  decisions; a trial that could not be carried out leaves the last one standing.
- Lessons survive a restart: they are learned again from the journal, oldest first; of rivals, from the state file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from keeper.chain.pool import Pool
from keeper.contracts.encode import Executor as Contract
from keeper.contracts.encode import encode_plan
from keeper.core.events import Block
from keeper.core.journal import State
from keeper.core.plans import FundingKind, Plan
from keeper.core.units import MAX_U64, Address
from keeper.core.venues import Liquidity
from keeper.core.venues import Pool as VenuePool
from keeper.errors import RpcError, SimulationError
from keeper.estimator.gas import FeeRule
from keeper.estimator.guards import RoundTrip, TokenRules, fresh
from keeper.estimator.lessons import Lessons
from keeper.estimator.rivals import Offered
from keeper.estimator.rollup import NoDataFee
from keeper.executor.attempt import Attempt
from keeper.executor.lifecycle import Change
from keeper.executor.transaction import Transaction, unsigned
from keeper.executor.trips import round_trips
from keeper.indexer.market import Market
from keeper.indexer.surroundings import Caution, Surroundings
from keeper.log import get_logger
from keeper.pipeline import Known
from keeper.rivalry import Ending
from keeper.settings import Settings
from keeper.store.endings import Endings
from keeper.store.journal import Journal

LENDERS: Final = {"balancer_v2": FundingKind.BALANCER_FLASH_LOAN, "morpho_blue": FundingKind.MORPHO_FLASH_LOAN}
TRIPS_EVERY: Final = 300  # blocks
REMEMBERED: Final = 2_000  # outcomes learned again after a restart

log = get_logger()


class Knowledge:
    """Oracles, charges, tokens, gas and shares."""

    def __init__(
        self,
        settings: Settings,
        chain: Pool,
        *,
        markets: Callable[[], Sequence[Market]],
        liquidity: Callable[[], Liquidity],
        contract: Contract | None,
    ) -> None:
        self.lessons = Lessons()
        self._endings: Endings | None = None
        self._chain, self._markets, self._liquidity, self._contract = chain, markets, liquidity, contract
        self._trips: dict[Address, RoundTrip] = {}
        self._stale: set[Address] = set()
        self._tried = -TRIPS_EVERY
        self._around = Surroundings(chain, caution(settings), tokens=self._tokens, feeds=self._feeds, pools=self._pools)
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """What the operator wants from the next block on. What was learned stays."""
        policy = settings.policy
        bids = replace(self.lessons.bids, start=policy.bid_start, low=policy.bid_low, high=policy.bid_high)
        self.lessons = replace(self.lessons, bids=bids, channel=channel(settings))
        self._settings, self._around.caution = settings, caution(settings)

    def known(self) -> Known:
        """All of it, as of now."""
        around, risk = self._around, self._settings.risk
        tokens = TokenRules(frozenset(risk.deny_tokens), self._trips, risk.transfer_loss)
        found = Known(
            around.oracles, around.data_fee, self.lessons, tokens, loans=around.loans, fee_rule=fee_rule(self._settings)
        )
        return found if isinstance(around.data_fee, NoDataFee) else replace(found, unsigned=self._unsigned)

    # reading -------------------------------------------------------------------------------------------------------

    async def advance(self, block: Block) -> None:
        """What guards compare with, at the block; the first time tokens too."""
        await self._around.advance(block)
        self._tell_ages(block)
        if not self._trips:
            await self.try_tokens(block)

    @property
    def stale(self) -> frozenset[Address]:
        """Assets whose feed is older than it promises."""
        return frozenset(self._stale)

    def _tell_ages(self, block: Block) -> None:
        """Say it when a feed is found too old, once until it is not."""
        readings, grace = self._around.oracles.readings, self._settings.risk.oracle_grace
        stale = {asset for asset, reading in readings.items() if fresh(reading, block.timestamp, grace)}
        for asset in stale - self._stale:
            log.warning("oracle.stale", asset=asset, age_s=block.timestamp - readings[asset].updated_at)
        self._stale = stale

    async def try_tokens(self, block: Block) -> None:
        """Move every token out of a pool and back, when it is time again."""
        if block.number - self._tried < TRIPS_EVERY:
            return
        self._tried = block.number
        try:
            found = await round_trips(self._chain, self._tokens(), self._pools(), block)
        except (RpcError, SimulationError) as error:
            log.warning("token.untried", error=str(error))
            return
        for token, trip in found.items():
            refusal = TokenRules(trips={token: trip}, tolerance=self._settings.risk.transfer_loss).check(token)
            if refusal and self._trips.get(token) != trip:
                log.warning("token.refused", token=token, reason=refusal.reason.value, term=refusal.term)
        self._trips |= found

    def _pools(self) -> Iterable[VenuePool]:
        return self._liquidity().pools.values()

    def _tokens(self) -> Sequence[Address]:
        assets = (token for market in self._markets() for token in market.adapter.assets(market.book))
        return list(dict.fromkeys(assets))

    def _feeds(self) -> Mapping[Address, Address]:
        found: dict[Address, Address] = {}
        for market in self._markets():
            found |= market.adapter.feeds(market.book)
        return found

    def _unsigned(self, plan: Plan) -> bytes:
        """A plan's transaction before anyone signs it, with numbers of full length where they are not known yet."""
        contract = self._contract
        if contract is None:
            return b""
        to, data = contract.address, encode_plan(plan, contract)
        return unsigned(Transaction(self._settings.chain.id, MAX_U64, plan.tip, plan.max_fee, plan.gas_limit, to, data))

    # learning ------------------------------------------------------------------------------------------------------

    def simulated(self, attempts: Iterable[Attempt]) -> None:
        """Gas, from simulations."""
        for attempt in attempts:
            if attempt.plan is not None and attempt.gas is not None:
                self.lessons = self.lessons.used(attempt.plan, attempt.gas)
            elif attempt.plan is not None and attempt.refusal is not None and attempt.refusal.reason == "reverted":
                self.lessons = self.lessons.ran_out(attempt.plan)

    def changed(self, change: Change) -> None:
        """Shares, from outcomes; each opportunity teaches once, when it ends."""
        if not change.undone and change.entry.state is not State.FINAL:
            self.lessons = self.lessons.ended(change.entry)

    def outdone(self, endings: Iterable[Ending]) -> None:
        """When rivals buy, from auctions that did not end with us."""
        for what, margin in endings:
            self.lessons = self.lessons.outdone(what, margin)
            if self._endings is not None:
                self._endings.write({what: self.lessons.rivals.ended[what]})

    def recall(self, endings: Endings) -> None:
        """Take up what was learned of rivals, and write down what will be."""
        self._endings = endings
        for (market, asset), margins in endings.load().items():
            for margin in margins:
                self.lessons = self.lessons.outdone(Offered(market, asset), margin)

    def restore(self, journal: Journal) -> None:
        """Learn again from what the journal remembers."""
        used = {line.opportunity: line.gas_used for line in journal.lines() if not line.reversal}
        for entry in journal.ended(REMEMBERED):
            self.lessons = self.lessons.ended(entry)
            if entry.plan is not None and entry.outcome is State.LANDED and entry.id in used:
                self.lessons = self.lessons.used(entry.plan, used[entry.id])


def caution(settings: Settings) -> Caution:
    """What guards want to compare with."""
    risk, executor = settings.risk, settings.executor.address
    lenders = [(LENDERS[one.kind], Address(one.address)) for one in settings.lenders]
    if settings.policy.own_balance and executor is not None:
        lenders.append((FundingKind.OWN, Address(executor)))
    feed = None if risk.sequencer is None else Address(risk.sequencer)
    return Caution(risk.heartbeat, feed, risk.twap, tuple(lenders))


def fee_rule(settings: Settings) -> FeeRule:
    """How the chain moves its base fee."""
    chain = settings.chain
    return FeeRule(chain.fee_elasticity, chain.fee_denominator, in_header=chain.fee_in_header)


def channel(settings: Settings) -> str:
    """Where bids are made: one transaction goes to all relays."""
    return "+".join(sorted({relay.name or relay.kind for relay in settings.relays}))
