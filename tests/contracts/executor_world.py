"""A deployed executor in a local world, borrowers who have fallen, and plans for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from eth_utils.crypto import keccak

from keeper.contracts.artifact import creation_code, tracked
from keeper.contracts.decode import Realised, Result, Revert, decode_result, decode_revert, realised
from keeper.contracts.encode import Executor, Factory, create2_address, encode_plan, encode_set_roles
from keeper.core.actions import Settlement, Witness
from keeper.core.events import Log
from keeper.core.plans import Estimate, Funding, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Wei
from keeper.devnet.abi import Abi
from keeper.devnet.contract import Contract
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Receipt, Reverted
from keeper.devnet.uniswap import contract_artifact
from keeper.devnet.world import World
from keeper.executor.deploy import CREATE2_FACTORY

OWNER: Final = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")  # account 0 of the test mnemonic
CALLER: Final = Address("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")  # account 1
STRANGER: Final = Address("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")  # account 2
TREASURY: Final = Address("0x00000000000000000000000000000000000ca5e0")
FALLEN: Final = 1_900 * USD  # the price of WETH that makes ``Rig.borrower`` liquidatable
NEVER: Final = 2**64 - 1
GAS: Final = 16_000_000
NOTHING: Final = Estimate(*[Wei(0)] * 9)
UNSETTLED: Final = Settlement(Amount(0), Amount(0), Amount(0))


@cache
def executor_abi() -> Abi:
    return Abi(tracked()["abi"])


def factories(world: World) -> tuple[Factory, Factory]:
    """Uniswap's own, with init hashes of the code that is deployed."""
    uniswap = world.layout.uniswap
    v2, v3 = (keccak(hexstr=contract_artifact(name).bytecode) for name in ("UniswapV2Pair", "UniswapV3Pool"))
    return (
        Factory(VenueKind.UNISWAP_V2, uniswap.v2_factory, v2),
        Factory(VenueKind.UNISWAP_V3, uniswap.v3_factory, v3),
    )


def swap(*hops: Hop, amount: int = 0, exact_out: bool = False) -> SwapLeg:
    """The rest, unless an amount is given."""
    return SwapLeg(Amount(amount), Amount(0), Amount(0), hops, rest=amount == 0, exact_out=exact_out)


@dataclass
class Rig:
    """The executor and everybody who wants something of it."""

    world: World
    executor: Executor
    borrowers: int = 0

    @classmethod
    def deploy(cls, world: World) -> "Rig":
        """One that may liquidate on the world's market, for ``CALLER``."""
        world.fund(OWNER, CALLER, STRANGER)
        made = factories(world)
        code = creation_code(OWNER, TREASURY, world.asset("WETH"), made)
        address = create2_address(CREATE2_FACTORY, bytes(32), keccak(code))
        world.rpc.send(OWNER, CREATE2_FACTORY, "0x" + (bytes(32) + code).hex(), gas=GAS)
        rig = cls(world, Executor(address, world.asset("WETH"), made))
        rig.allow(CALLER, role=Role.CALLER)
        rig.allow(world.layout.aave.pool, role=Role.MARKET)
        return rig

    @property
    def address(self) -> Address:
        return self.executor.address

    @property
    def contract(self) -> Contract:
        return Contract(self.world.rpc, self.address, executor_abi())

    def allow(self, *targets: Address, role: Role) -> None:
        self.world.rpc.send(OWNER, self.address, "0x" + encode_set_roles(targets, role).hex())

    def give(self, symbol: str, amount: int) -> None:
        """A float."""
        self.world.token(symbol).send("mint(address,uint256)", self.address, amount, sender=OWNER)

    # --- borrowers and plans ------------------------------------------------------------------------------------

    def borrower(
        self, collateral: str = "WETH", debt: str = "USDC", *, supplied: float = 10, owed: float = 15_990
    ) -> Address:
        """An account with one collateral and one debt; by default liquidatable at ``FALLEN``."""
        self.borrowers += 1
        account = Address("0x" + f"{self.borrowers:04x}".rjust(40, "b"))
        self.world.fund(account)
        self.world.supply(account, collateral, self.world.units(collateral, supplied))
        self.world.borrow(account, debt, self.world.units(debt, owed))
        return account

    def fall(self, price: int = FALLEN, *pools: str) -> None:
        """The price of WETH falls, and the pools follow."""
        self.world.set_price("WETH", price)
        for pool in pools or ("WETH/USDC/500",):
            self.world.align_pool(pool)

    def leg(
        self,
        account: Address,
        kind: FundingKind = FundingKind.UNISWAP_V3_FLASH_SWAP,
        *,
        collateral: str = "WETH",
        debt: str = "USDC",
        source: Address | None = None,
        fee: int = 500,
        swaps: Sequence[SwapLeg] = (),
    ) -> Leg:
        """Repays 45 % of the debt. A flash swap uses the pool of the pair."""
        repay = Amount(self.world.debt(account, debt) * 45 // 100)
        flash = kind == FundingKind.UNISWAP_V3_FLASH_SWAP
        if source is None:
            pools = self.world.layout.uniswap.pools
            own = kind == FundingKind.OWN
            market = self.world.layout.aave.pool
            source = pools[f"{collateral}/{debt}/{fee}"] if flash else ZERO_ADDRESS if own else market
        scaled = self.world.v_token(debt).call("scaledBalanceOf", account)
        return Leg(
            "aave_v3",
            self.world.layout.aave.pool,
            account,
            self.world.asset(collateral),
            self.world.asset(debt),
            repay,
            UNSETTLED,
            receive_wrapped=False,
            funding=Funding(kind, source, repay, Amount(0), Amount(0), pool_fee=fee if flash else 0),
            swaps=tuple(swaps),
            witness=Witness(self.world.layout.reserves[debt].v_token, Amount(scaled * 7 // 8)),
        )

    def loan(
        self, account: Address, kind: FundingKind = FundingKind.AAVE_FLASH_LOAN, source: Address | None = None
    ) -> Leg:
        """WETH against USDC: borrows, and sells just enough WETH to give back."""
        return self.leg(account, kind, source=source, swaps=[self.sale("WETH/USDC/500", exact_out=True)])

    def hop(self, *path: str, venue: VenueKind = VenueKind.UNISWAP_V3) -> Hop:
        """``hop("WETH", "USDC", "500")`` through a pool of the world, whichever way round it is named."""
        one, other, *fee = path
        uniswap = self.world.layout.uniswap
        known = uniswap.pools if venue == VenueKind.UNISWAP_V3 else uniswap.pairs
        names = ("/".join((one, other, *fee)), "/".join((other, one, *fee)))
        pool = next(known[name] for name in names if name in known)
        sold, bought = self.world.asset(one), self.world.asset(other)
        return Hop(venue, pool, sold, bought, int(fee[0]) if fee else 3_000)

    def sale(self, *pools: str, amount: int = 0, exact_out: bool = False) -> SwapLeg:
        """A path of v3 pools, as ``sale("WBTC/WETH/500", "WETH/USDC/500")``: the rest, unless an amount is given."""
        return swap(*(self.hop(*pool.split("/")) for pool in pools), amount=amount, exact_out=exact_out)

    def plan(self, *legs: Leg, conversions: Sequence[SwapLeg] = (), least: int = 1, bid: int = 0) -> Plan:
        return Plan(
            "x",
            BlockNumber(0),
            BlockNumber(NEVER),
            legs,
            tuple(conversions),
            self.executor.weth,
            Amount(least),
            Bps(bid),
            0,
            Wei(0),
            Wei(0),
            NOTHING,
        )

    # --- execution ----------------------------------------------------------------------------------------------

    def send(self, plan: Plan, sender: Address = CALLER, gas: int = GAS) -> Receipt:
        """Mined; raises ``Reverted``."""
        return self.world.rpc.send(sender, self.address, self.calldata(plan), gas=gas)

    def simulate(self, plan: Plan, sender: Address = CALLER) -> Result:
        return decode_result(self.world.rpc.call(self.address, self.calldata(plan), sender=sender))

    def refusal(self, plan: Plan, sender: Address = CALLER) -> Revert:
        """Why the plan reverts; fails when it does not."""
        try:
            result = self.simulate(plan, sender)
        except Reverted as error:
            return decode_revert(error.data)
        raise AssertionError(f"it did not revert: {result}")

    def calldata(self, plan: Plan) -> str:
        return "0x" + encode_plan(plan, self.executor).hex()

    def realised(self, receipt: Receipt) -> Realised:
        return realised(logs_of(receipt), self.address, self.executor.weth)

    # --- what is there ------------------------------------------------------------------------------------------

    def weth(self, account: Address | None = None) -> int:
        return self.world.balance("WETH", account or self.address)

    def left_over(self, *spenders: Address) -> dict[str, int]:
        """Balances other than WETH, and allowances to ``spenders`` and whoever else might have one."""
        uniswap = self.world.layout.uniswap
        spenders += (self.world.layout.aave.pool, uniswap.router, uniswap.v2_router, *uniswap.pools.values())
        found = {symbol: self.world.balance(symbol, self.address) for symbol in self.world.layout.tokens}
        del found["WETH"]
        for symbol in self.world.layout.tokens:
            token = self.world.token(symbol)
            reads = (token.fn("allowance", self.address, spender) for spender in spenders)
            calls = [("eth_call", ({"to": token.address, "data": data}, "latest")) for data in reads]
            found[f"allowance of {symbol}"] = max(int(word, 16) for word in self.world.rpc.batch(calls))
        found["ether"] = self.ether()
        return {name: amount for name, amount in found.items() if amount}

    def ether(self, account: Address | None = None) -> int:
        return int(self.world.rpc.rpc("eth_getBalance", account or self.address, "latest"), 16)

    def gas_of_revert(self, plan: Plan) -> int:
        """Of a transaction that is mined although it reverts."""
        fields = {"from": CALLER, "to": self.address, "data": self.calldata(plan), "gas": hex(GAS)}
        receipt = self.world.rpc.wait(self.world.rpc.rpc("eth_sendTransaction", fields))
        assert receipt["status"] == "0x0"
        return int(receipt["gasUsed"], 16)


def logs_of(receipt: Receipt) -> list[Log]:
    return [
        Log(
            Address(log["address"]),
            tuple(log["topics"]),
            log["data"],
            log["blockNumber"],
            Hash(log["blockHash"]),
            Hash(log["transactionHash"]),
            log["transactionIndex"],
            log["logIndex"],
        )
        for log in receipt["logs"]
    ]
