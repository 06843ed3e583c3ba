"""The same for a market that pays first and calls back: the real Morpho Blue.

Law: bare is a liquidator who holds what is repaid and keeps what is seized; the executor holds nothing, sells, repays.
"""

from typing import Any, Final

from keeper.bench.gas_world import CALLER, FALLEN, LIQUIDATOR, OWNER, POOL, RISEN, GasWorld, plan_of
from keeper.contracts.encode import Executor, encode_plan, encode_set_roles
from keeper.core.actions import Call, Settlement, Style
from keeper.core.plans import Funding, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind
from keeper.core.units import MAX_U256, WAD, ZERO_ADDRESS, Address, Amount
from keeper.devnet.morpho import Morpho

GUARDS: Final = ("market", "target", "spender", "callback", "allowance", "coded")
_WHO: Final = Address("0x" + "3b" * 20)
_SEIZED: Final = 5 * WAD
_OWED: Final = 17_500 * 10**6


class MorphoGas:
    """One market of WETH against USDC, and somebody in it who has fallen."""

    def __init__(self, at: GasWorld) -> None:
        self._at, world = at, at.world
        world.set_price("WETH", RISEN)
        self._morpho = Morpho.deploy(world)
        self._market = self._morpho.add_market("WETH", "USDC", lent=10**13)
        self._morpho.borrower(_WHO, self._market, 10 * WAD, _OWED)
        world.set_price("WETH", FALLEN)
        world.token("USDC").send("approve", self._morpho.address, MAX_U256, sender=LIQUIDATOR)

    def figures(self) -> dict[str, Any]:
        """Bare, by the executor, and what its guards cost there."""
        bare = self._at.mined_apart(LIQUIDATOR, self._morpho.address, self._liquidate(b""))
        full = self._gas(self._executor())
        guards = {f"guard_{name}_by_callback": full - self._gas(self._executor(name)) for name in GUARDS}
        together = full - self._gas(self._executor(*GUARDS))
        ratio = {"morpho_bare": bare, "morpho_callback": full, "ratio_morpho_callback": round(full / bare, 3)}
        return ratio | guards | {"guards_by_callback_together": together}

    def _gas(self, executor: Executor) -> int:
        return self._at.mined_apart(CALLER, executor.address, encode_plan(self._plan(), executor))

    def _executor(self, *left_out: str) -> Executor:
        made = self._at.executor(*left_out)
        data = encode_set_roles([self._morpho.address], Role.CALLED)
        self._at.world.rpc.send(OWNER, made.address, "0x" + data.hex())
        return made

    def _liquidate(self, data: bytes) -> bytes:
        arguments = (self._market.params, _WHO, _SEIZED, 0, data)
        return bytes.fromhex(self._morpho.contract.fn("liquidate", *arguments)[2:])

    def _plan(self) -> Plan:
        world = self._at.world
        weth, usdc = world.asset("WETH"), world.asset("USDC")
        hop = Hop(VenueKind.UNISWAP_V3, world.layout.uniswap.pools[POOL], weth, usdc, 500)
        swap = SwapLeg(Amount(0), Amount(0), Amount(0), (hop,), rest=True, exact_out=True)
        nothing = Amount(0)
        leg = Leg(
            "morpho_blue", self._morpho.address, _WHO, weth, usdc, Amount(_OWED), Settlement(nothing, nothing, nothing),
            receive_wrapped=False,
            funding=Funding(FundingKind.PROTOCOL_CALLBACK, ZERO_ADDRESS, nothing, nothing, nothing),
            swaps=(swap,), style=Style.CALLBACK, spender=self._morpho.address,
            calls=(Call(self._morpho.address, self._liquidate(b"\1")),),
        )  # fmt: skip
        return plan_of(weth, [leg], 0)
