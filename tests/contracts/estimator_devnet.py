"""The estimator's world read from a devnet, its plans executed there, and what they moved told from logs alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from keeper.core.events import Log, signed_word, word
from keeper.core.plans import FundingKind, Leg, Plan, Role, SwapLeg, VenueKind
from keeper.core.ports import Loan, Valued
from keeper.core.units import ZERO_ADDRESS, Address, BlockNumber, Bps, Timestamp, Wei
from keeper.core.venues import Liquidity, Pool, PoolKey, sorted_pair
from keeper.devnet.layout import TREASURY
from keeper.devnet.rpc import Receipt, Tx
from keeper.devnet.world import World as Devnet
from keeper.estimator.bid import BidBook, BidPolicy
from keeper.estimator.funding import own_balance
from keeper.estimator.gas import GasBook, next_base_fee
from keeper.estimator.world import Candidate, Policy, World
from keeper.estimator.worth import Prices
from keeper.protocols.aave_v3.pair import LiquidationPair
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.venue import UniswapV2
from tests.contracts.aave_reader import Reader
from tests.contracts.executor_world import CALLER, GAS, Rig, logs_of
from tests.contracts.venue_world import ask, load_v3

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
LIQUIDATION: Final = "0xe413a321e8681d831f4dbccbca790d2952b56f977908e45be37335533e005286"
FLASH_LOAN: Final = "0xefefaba5e921573100900a3ad9cf29f222d995fb3b6045797eaea7521bd8d6f0"
V2_SWAP: Final = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
V3_SWAP: Final = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
REACH: Final = 30_000


class Swapped(NamedTuple):
    """One swap as the pool's event tells it."""

    pool: Address
    amount_in: int
    amount_out: int


@dataclass
class Field:
    """A devnet with an executor, borrowers, and every kind of lender."""

    world: Devnet
    rig: Rig
    rng: Random
    lenders: list[Loan] = field(default_factory=list)
    gas: GasBook = field(default_factory=GasBook)

    @classmethod
    def open(cls, world: Devnet, borrowers: int, seed: int) -> "Field":
        here = cls(world, Rig.deploy(world), Random(seed))
        world.borrowers(borrowers, seed)
        symbols = ("USDC", "DAI", "WETH", "WBTC", "LINK")
        for kind, contract in (
            (FundingKind.BALANCER_FLASH_LOAN, world.add_balancer(*symbols, amount=10**30)),
            (FundingKind.MORPHO_FLASH_LOAN, world.add_morpho(*symbols, amount=10**30)),
        ):
            here.rig.allow(contract.address, role=Role.MARKET)
            here.lenders += [Loan(kind, contract.address, world.asset(symbol), 10**30) for symbol in symbols]
        return here

    @property
    def profile(self) -> Profile:
        return PROFILES[self.world.layout.version]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens inside did not happen."""
        rpc = self.world.rpc
        mark = rpc.rpc("evm_snapshot")
        yield
        rpc.rpc("anvil_dropAllTransactions")
        rpc.rpc("evm_revert", mark)
        rpc.rpc("anvil_dropAllTransactions")

    # --- reading --------------------------------------------------------------------------------------------------

    def liquidity(self) -> Liquidity:
        return Liquidity.of(self._pools())

    def _pools(self) -> Iterator[Pool]:
        uniswap, asset = self.world.layout.uniswap, self.world.asset
        known = {name: at for name, at in uniswap.pools.items() if "TIX" not in name}
        for name, at in known.items():
            one, other, fee = name.split("/")
            yield load_v3(self.world, PoolKey(at, *sorted_pair(asset(one), asset(other)), int(fee)), REACH)
        for name, at in uniswap.pairs.items():
            pair = sorted_pair(*(asset(symbol) for symbol in name.split("/")))
            yield ask(self.world.rpc, UniswapV2(uniswap.v2_factory).load(PoolKey(at, *pair, 3_000)))

    def prices(self) -> Prices:
        layout, world = self.world.layout, self.world
        assets = {r.asset: Valued(world.price(symbol), 10**r.decimals) for symbol, r in layout.reserves.items()}
        return Prices(assets, world.asset("WETH"))

    def aave_lenders(self) -> list[Loan]:
        """The market's own flash loans, as far as it has underlying."""
        layout = self.world.layout
        premium = Bps(self.world.pool.call("FLASHLOAN_PREMIUM_TOTAL"))
        rounds_up = self.profile.flash_premium_up
        return [
            Loan(
                FundingKind.AAVE_FLASH_LOAN,
                layout.aave.pool,
                reserve.asset,
                self.world.balance(symbol, reserve.a_token) // 2,
                premium,
                rounds_up,
            )
            for symbol, reserve in layout.reserves.items()
        ]

    def moment(self, at: int, lenders: Sequence[Loan], **policy: Any) -> World:
        """The block after the head."""
        block = self.world.rpc.rpc("eth_getBlockByNumber", "latest", False)
        number, base, used, limit = (int(block[key], 16) for key in ("number", "baseFeePerGas", "gasUsed", "gasLimit"))
        weth = self.world.asset("WETH")
        hubs = (weth, self.world.asset("USDC"))
        chosen: dict[str, Any] = {"routing": Routing(hubs), "bid": BidPolicy(tip=Wei(0))} | policy
        return World(
            block=BlockNumber(number + 1),
            timestamp=Timestamp(at),
            base_fee=next_base_fee(base, used, limit),
            gas_limit=limit,
            liquidity=self.liquidity(),
            policy=Policy(weth, **chosen),
            lenders=tuple(lenders),
            gas=self.gas,
            bids=BidBook(start=Bps(self.rng.randint(0, 9_000)), low=Bps(0)),
        )

    def candidate(self, account: Address, at: int) -> Candidate:
        """Every pair of the account, on terms read view by view."""
        reader = Reader(self.world, self.profile, account, at)
        held = reader.held
        pairs = [
            LiquidationPair(
                self.world.layout.aave.pool,
                account,
                self.world.asset(one),
                self.world.asset(other),
                self.world.layout.reserves[other].v_token,
                self.profile,
                reader.terms(one, other),
                receive_wrapped=False,
            )
            for one in held
            for other in held
            if held[one].enabled and held[one].collateral_scaled and held[other].debt_scaled
        ]
        return Candidate(account, pairs, self.prices(), self.world.layout.aave.provider)

    def fallen(self) -> list[Address]:
        """Accounts with health below 1 now, of all that ever borrowed."""
        topic = "0xb3d084820fb1a9decffb176436bd02558d15fac9b0ddfed8c465bc7359d7dce0"  # Borrow
        query = {"fromBlock": "0x0", "address": self.world.layout.aave.pool, "topics": [topic]}
        logs = self.world.rpc.rpc("eth_getLogs", query)
        accounts = sorted({"0x" + log["topics"][2][26:] for log in logs})
        health = [(self.world.account_data(Address(one)).health_factor, one) for one in accounts]
        return [Address(one) for factor, one in health if factor < 10**18]

    # --- doing ----------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Some prices move, the pools follow, and somebody trades against them."""
        world, rng = self.world, self.rng
        for symbol in rng.sample(("WETH", "WBTC", "LINK", "WSTETH", "YOC"), rng.randint(1, 4)):
            world.set_price(symbol, int(world.price(symbol) * rng.uniform(0.72, 0.97)))
        world.align_pools()
        world.fund(ZERO_ADDRESS)
        for name in rng.sample(sorted(world.layout.uniswap.pools), 3):
            sold = rng.choice(name.split("/")[:2])
            if "TIX" not in name:
                world.swap_v3(TRADER, name, sold, self._dollars(sold, 10 ** rng.uniform(1, 4.5)))
        for name in rng.sample(sorted(world.layout.uniswap.pairs), 2):
            one, other = rng.sample(name.split("/"), 2)
            world.swap_v2(TRADER, one, other, self._dollars(one, 10 ** rng.uniform(1, 4)))

    def _dollars(self, symbol: str, dollars: float) -> int:
        return int(dollars * 10**8) * self.world.layout.tokens[symbol].unit // self.world.price(symbol)

    def own(self, lenders: list[Loan]) -> list[Loan]:
        """A float in USDC, sometimes."""
        if self.rng.random() < 0.2:
            self.rig.give("USDC", 50_000 * 10**6)
            return [*lenders, own_balance(self.world.asset("USDC"), 50_000 * 10**6)]
        return lenders

    def execute(self, plan: Plan, here: World) -> Receipt:
        """Mined in the block it is for. Its base fee is set: a node that was set back has one of a future it forgot."""
        rpc, tx = self.world.rpc, Tx(CALLER, self.rig.address, self.rig.calldata(plan), gas=GAS)
        rpc.rpc("evm_setNextBlockTimestamp", here.timestamp)
        rpc.rpc("anvil_setNextBlockBaseFeePerGas", hex(here.base_fee))
        fees = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": "0x0"}
        receipt = rpc.wait(rpc.rpc("eth_sendTransaction", tx.params() | fees))
        assert receipt["status"] == "0x1", self.rig.refusal(plan)
        return receipt


TRADER: Final = Address("0x9965507d1a55bcc2695c58ba16fb37d819b0a4dc")  # account 5 of the test mnemonic


# --- what happened, from logs ---


def swaps_of(logs: Sequence[Log]) -> list[Swapped]:
    """Every swap in order, as its pool's event tells it."""
    found = []
    for log in logs:
        if log.topics[0] == V3_SWAP:
            amounts = signed_word(log.data, 0), signed_word(log.data, 1)
            found.append(Swapped(log.address, max(amounts), -min(amounts)))
        elif log.topics[0] == V2_SWAP:
            in0, in1, out0, out1 = (word(log.data, i) for i in range(4))
            found.append(Swapped(log.address, in0 or in1, out0 or out1))
    return found


def hop_swaps(swaps: Sequence[Swapped], swap: SwapLeg) -> tuple[int, int]:
    """What went into a swap's first pool and came out of its last one."""
    first = next(one for one in swaps if one.pool == swap.hops[0].pool)
    last = next(one for one in swaps if one.pool == swap.hops[-1].pool)
    return first.amount_in, last.amount_out


def transfers(logs: Sequence[Log], token: Address, sender: Address, receiver: Address) -> int:
    ends = tuple(f"0x{one[2:]:0>64}" for one in (sender, receiver))
    return sum(word(log.data, 0) for log in logs if log.address == token and log.topics == (TRANSFER, *ends))


def check_leg(field: Field, leg: Leg, logs: Sequence[Log], swaps: Sequence[Swapped]) -> None:
    """Every amount of a leg, to the unit."""
    layout, executor = field.world.layout, field.rig.address
    reserves = {reserve.asset: reserve for reserve in layout.reserves.values()}
    seized, owed = reserves[leg.collateral_asset], reserves[leg.debt_asset]
    (call,) = (
        log
        for log in logs
        if log.topics[0] == LIQUIDATION and log.topics[3][26:] == leg.account[2:] and log.address == leg.market
    )
    assert (word(call.data, 0), word(call.data, 1)) == (leg.settlement.paid, leg.settlement.received)
    assert transfers(logs, seized.a_token, leg.account, TREASURY) == leg.settlement.protocol_fee
    if leg.collateral_asset != leg.debt_asset:
        assert transfers(logs, seized.asset, seized.a_token, executor) == leg.settlement.received
    for swap in leg.swaps:
        sold, bought = hop_swaps(swaps, swap)
        assert bought == swap.expected_out
        assert sold == swap.amount_in
    funding = leg.funding
    if funding.kind is FundingKind.UNISWAP_V3_FLASH_SWAP:
        flash = next(one for one in swaps if one.pool == funding.source)
        assert (flash.amount_in, flash.amount_out) == (funding.owed, funding.amount)
    if funding.kind is FundingKind.AAVE_FLASH_LOAN:
        (loan,) = (log for log in logs if log.topics[0] == FLASH_LOAN)
        assert (word(loan.data, 1), word(loan.data, 3)) == (funding.amount, funding.fee)
        assert funding.owed == funding.amount + funding.fee
        assert transfers(logs, owed.asset, executor, owed.a_token) == leg.settlement.paid + funding.owed
    if funding.kind in (FundingKind.BALANCER_FLASH_LOAN, FundingKind.MORPHO_FLASH_LOAN):
        assert transfers(logs, owed.asset, funding.source, executor) == funding.amount
        assert transfers(logs, owed.asset, executor, funding.source) == funding.owed


def check_plan(field: Field, plan: Plan, receipt: Receipt) -> None:
    """A plan of one leg: every amount of it, its conversions, profit and bid."""
    logs = logs_of(receipt)
    swaps = swaps_of(logs)
    (leg,) = plan.legs
    check_leg(field, leg, logs, swaps)
    for conversion in plan.conversions:
        later = list(reversed(swaps))  # conversions come last; a pool may have been used before
        first = next(one for one in later if one.pool == conversion.hops[0].pool)
        last = next(one for one in later if one.pool == conversion.hops[-1].pool)
        assert (first.amount_in, last.amount_out) == (conversion.amount_in, conversion.expected_out)
    realised = field.rig.realised(receipt)
    assert int(realised.profit) == plan.estimate.profit >= plan.min_profit
    assert realised.bid == plan.estimate.bid == plan.estimate.profit * plan.bid_bps // 10_000
    assert all(swap.hops[0].venue is not VenueKind.ROUTER for swap in leg.swaps)


def realised_net(field: Field, receipt: Receipt) -> int:
    """Profit less bid less burnt gas."""
    block = field.world.rpc.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
    realised = field.rig.realised(receipt)
    return realised.profit - realised.bid - int(receipt["gasUsed"], 16) * int(block["baseFeePerGas"], 16)
