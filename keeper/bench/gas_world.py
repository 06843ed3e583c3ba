"""A local world in which borrowers have fallen, executors with and without guards, and plans for them.

Law: every measurement starts from the same state, in a block of its own: a reserve that was touched in the same second
would be cheaper. Whoever liquidates holds both tokens already, so nobody pays for a first balance.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from eth_hash.auto import keccak

from keeper.contracts.artifact import compile_source, immutables, source_text
from keeper.contracts.encode import Executor, Factory, encode_liquidation_call, encode_plan, encode_set_roles
from keeper.core.actions import Settlement, Witness
from keeper.core.plans import Estimate, Funding, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind
from keeper.core.units import MAX_U256, WAD, Address, Amount, BlockNumber, Bps, Wei
from keeper.devnet.layout import USD
from keeper.devnet.uniswap import contract_artifact
from keeper.devnet.world import World
from keeper.errors import DevnetError

OWNER: Final = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")  # accounts 0 to 2 of the test mnemonic
CALLER: Final = Address("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
LIQUIDATOR: Final = Address("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")
TREASURY: Final = Address("0x00000000000000000000000000000000000ca5e0")
RISEN: Final = 2_100 * USD  # a price of WETH at which everybody is healthy again
FALLEN: Final = 1_900 * USD
POOL, _FEE = "WETH/USDC/500", 500
_SUPPLIED, _BORROWED = 10 * WAD, 15_990 * 10**6
_REPAID: Final = 45  # percent of the debt
_GAS: Final = 16_000_000
_BLOCK: Final = 12  # seconds
_NOTHING: Final = Estimate(*[Wei(0)] * 9)
_UNSETTLED: Final = Settlement(Amount(0), Amount(0), Amount(0))


def without(source: str, guards: Iterable[str]) -> str:
    """The executor's source less the lines of these guards."""
    for guard in guards:
        opening, closing = f"# [{guard}\n", f"# {guard}]\n"
        if opening not in source:
            raise ValueError(f"there is no guard {guard}")
        while opening in source:
            before, _, rest = source.partition(opening)
            source = before.rstrip(" ") + rest.partition(closing)[2]
    return source


class GasWorld:
    """Borrowers who owe USDC against WETH, all liquidatable."""

    def __init__(self, world: World, accounts: int) -> None:
        self.world = world
        uniswap = world.layout.uniswap
        v2, v3 = (
            keccak(bytes.fromhex(contract_artifact(name).bytecode)) for name in ("UniswapV2Pair", "UniswapV3Pool")
        )
        self._factories = (
            Factory(VenueKind.UNISWAP_V2, uniswap.v2_factory, v2),
            Factory(VenueKind.UNISWAP_V3, uniswap.v3_factory, v3),
        )
        world.fund(OWNER, CALLER, LIQUIDATOR)
        self.accounts = [self._borrower(place) for place in range(accounts)]
        world.set_price("WETH", FALLEN)
        world.align_pool(POOL)
        for symbol, amount in (("USDC", 10**12), ("WETH", WAD)):
            world.mint_token(symbol, LIQUIDATOR, amount)
        world.token("USDC").send("approve", world.layout.aave.pool, MAX_U256, sender=LIQUIDATOR)

    def _borrower(self, place: int) -> Address:
        account = Address(f"0x{0xB0B0_0000 + place:040x}")
        self.world.fund(account)
        self.world.supply(account, "WETH", _SUPPLIED)
        self.world.borrow(account, "USDC", _BORROWED)
        return account

    def executor(self, *left_out: str, held: int = WAD) -> Executor:
        """One without these guards, which holds so much WETH."""
        code = compile_source(without(source_text(), left_out))["bytecode"][2:]
        weth = self.world.asset("WETH")
        arguments = int(OWNER, 16).to_bytes(32, "big") + immutables(TREASURY, weth, self._factories)
        receipt = self.world.rpc.send(OWNER, None, "0x" + code + arguments.hex(), gas=_GAS)
        address = Address(receipt["contractAddress"])
        for target, role in ((CALLER, Role.CALLER), (self.world.layout.aave.pool, Role.MARKET)):
            self.world.rpc.send(OWNER, address, "0x" + encode_set_roles([target], role).hex())
        if held:
            self.world.token("WETH").send("mint(address,uint256)", address, held, sender=OWNER)
        return Executor(address, weth, self._factories)

    # --- plans --------------------------------------------------------------------------------------------------

    def flash_swap(self, accounts: Sequence[Address], *, witnessed: bool = True, bid: int = 0) -> Plan:
        """The cheapest way: the pool pays first, and is paid from the collateral."""
        source = self.world.layout.uniswap.pools[POOL]
        kind = FundingKind.UNISWAP_V3_FLASH_SWAP
        return plan_of(
            self.world.asset("WETH"), [self._leg(each, kind, source, (), witnessed=witnessed) for each in accounts], bid
        )

    def flash_loan(self, accounts: Sequence[Address], *, shared: bool = False) -> Plan:
        """Borrows from the market, for each or for all at once, and buys back what it owes."""
        weth, usdc = self.world.asset("WETH"), self.world.asset("USDC")
        hop = Hop(VenueKind.UNISWAP_V3, self.world.layout.uniswap.pools[POOL], weth, usdc, _FEE)
        swaps = (SwapLeg(Amount(0), Amount(0), Amount(0), (hop,), rest=True, exact_out=True),)
        market = self.world.layout.aave.pool
        legs = [self._leg(each, FundingKind.AAVE_FLASH_LOAN, market, swaps, witnessed=True) for each in accounts]
        joined = [replace(leg, funding=replace(leg.funding, joins=True)) for leg in legs[1:]] if shared else legs[1:]
        return plan_of(weth, [legs[0], *joined], 0)

    def _leg(
        self, account: Address, kind: FundingKind, source: Address, swaps: tuple[SwapLeg, ...], *, witnessed: bool
    ) -> Leg:
        repay = Amount(self.world.debt(account, "USDC") * _REPAID // 100)
        debt = self.world.layout.reserves["USDC"].v_token
        floor = int(self.world.v_token("USDC").call("scaledBalanceOf", account)) * 7 // 8
        return Leg(
            "aave_v3",
            self.world.layout.aave.pool,
            account,
            self.world.asset("WETH"),
            self.world.asset("USDC"),
            repay,
            _UNSETTLED,
            receive_wrapped=False,
            funding=Funding(kind, source, repay, Amount(0), Amount(0), pool_fee=_FEE),
            swaps=swaps,
            witness=Witness(debt, Amount(floor)) if witnessed else None,
        )

    # --- measurements -------------------------------------------------------------------------------------------

    def gas_of_liquidation_call(self) -> int:
        """Bare, of the first account."""
        with self._apart():
            return self._mined(*self._rival(), succeeds=True)

    def gas(self, executor: Executor, plan: Plan) -> int:
        """Of the transaction that executes the plan."""
        with self._apart():
            return self._mined(CALLER, executor.address, encode_plan(plan, executor), succeeds=True)

    def mined_apart(self, sender: Address, to: Address, data: bytes) -> int:
        """Of any transaction that succeeds."""
        with self._apart():
            return self._mined(sender, to, data, succeeds=True)

    def gas_listed(self, executor: Executor, plan: Plan) -> int:
        """The same for a transaction that names in advance what it will touch (EIP-2930)."""
        with self._apart():
            data = encode_plan(plan, executor)
            call = {"from": CALLER, "to": executor.address, "data": "0x" + data.hex(), "gas": hex(_GAS)}
            found = self.world.rpc.rpc("eth_createAccessList", call, "latest")["accessList"]
            return self._mined(CALLER, executor.address, data, succeeds=True, accessList=found)

    def gas_too_late(self, executor: Executor, plan: Plan, *, rival: bool) -> int:
        """Of the transaction that reverts because a rival was first, or else because the price has recovered."""
        with self._apart():
            if rival:
                self._mined(*self._rival(), succeeds=True)
            else:
                self.world.set_price("WETH", RISEN)
            return self._mined(CALLER, executor.address, encode_plan(plan, executor), succeeds=False)

    def _rival(self) -> tuple[Address, Address, bytes]:
        data = encode_liquidation_call(self.flash_swap(self.accounts[:1]).legs[0])
        return LIQUIDATOR, self.world.layout.aave.pool, data

    def _mined(self, sender: Address, to: Address, data: bytes, *, succeeds: bool, **more: object) -> int:
        rpc = self.world.rpc
        fields = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(_GAS), **more}
        receipt = rpc.wait(rpc.rpc("eth_sendTransaction", fields))
        if (receipt["status"] == "0x1") != succeeds:
            raise DevnetError(f"a benchmarked transaction went the wrong way: {receipt['transactionHash']}")
        return int(receipt["gasUsed"], 16)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """A later block, and back again."""
        mark = self.world.rpc.rpc("evm_snapshot")
        self.world.advance(_BLOCK)
        yield
        self.world.rpc.rpc("evm_revert", mark)
        self.world.rpc.rpc("anvil_dropAllTransactions")  # anvil may take the undone ones back into its pool


def plan_of(weth: Address, legs: Sequence[Leg], bid: int) -> Plan:
    """A plan of these legs that may land in any block."""
    forever = BlockNumber(2**63)
    return Plan("gas", BlockNumber(0), forever, tuple(legs), (), weth, Amount(1), Bps(bid), 0, Wei(0), Wei(0), _NOTHING)
