"""The exact transaction, tried on the block it is meant for: what that means for whether it is sent.

Laws
- Nothing is sent without a ``Passed``, and only ``Simulator.run`` makes one: it is sealed, and the one way to a
  ``Submission``. What is handed over is to the byte the transaction that passed.
- To pass is to succeed, with a profit that is left after bid, gas and fees at the target block's base fee.
- A no is a ``Failed`` with a stable reason. Only a simulation that could not be carried out is a ``SimulationError``.
"""

import asyncio
from dataclasses import InitVar, dataclass, field
from typing import Final

from keeper.contracts.decode import Result, decode_result, decode_revert
from keeper.core.actions import Witness
from keeper.core.events import Block, Read, word
from keeper.core.plans import Plan
from keeper.core.submissions import Bid, Simulated, Submission, Window
from keeper.core.units import Address, Amount, BlockNumber, Bps, Hash, Wei, owner
from keeper.errors import DecodeError, EndpointsUnavailable, RpcError, SignerError, SimulationError
from keeper.executor.evm import NO_ANSWERS, WITHIN, Answers, Simulation, Target, simulate
from keeper.executor.node import Node
from keeper.executor.transaction import Transaction, decode

ABREAST: Final = 16  # simulations at once
NO_DATA: Final = "0x"
_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Failed:
    """The transaction would not do what it is for. ``gone``: somebody was first."""

    reason: str  # stable: a name of the executor's reverts, or a word of this page
    detail: str = ""
    profit: int | None = None  # when it came to one
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """The transaction does what it is for, as far as anyone can know before its block."""

    sender: Address
    tx: Transaction
    target: BlockNumber
    bid_bps: Bps
    sim: Simulated
    net: Wei  # profit after bid, gas and fees
    skipped: tuple[int, ...]  # legs that would be undone
    seal: InitVar[object] = field(repr=False)

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only a simulation that passed makes a Passed")

    def submission(
        self, opportunity: str, raw: bytes, tx_hash: Hash, window: Window, deadline_ts: float, revision: int
    ) -> Submission:
        """The signed transaction on its way into the block it passed for."""
        signed, _ = decode(raw)
        if signed != self.tx:
            raise SignerError("what was signed is not what was simulated")
        return Submission(
            id=opportunity,
            chain=self.tx.chain_id,
            eoa=self.sender,
            nonce=self.tx.nonce,
            raw_txs=(raw,),
            tx_hashes=(tx_hash,),
            target_block=self.target,
            window=window,
            deadline_ts=deadline_ts,
            bid=Bid(self.tx.tip, self.bid_bps, self.sim.delta),
            sim=self.sim,
            revision=revision,
        )


class Simulator:
    """Tries transactions."""

    def __init__(self, node: Node, *, within: float = WITHIN, abreast: int = ABREAST) -> None:
        self._node = node
        self._within = within
        self._slots = asyncio.Semaphore(abreast)

    async def run(
        self, tx: Transaction, sender: Address, plan: Plan | None, target: Target, answers: Answers = NO_ANSWERS
    ) -> Passed | Failed:
        """Whether the transaction may be sent for that block. Without a plan it has only to succeed.

        ``answers``: of price sources, once the transaction that this one follows has landed.
        """
        async with self._slots:
            (done,) = await simulate(self._node, [(sender, tx)], target, self._within, answers)
        if not done.ok:
            return await self._refused(done, plan, target.parent)
        try:
            result = decode_result(done.output) if plan else Result(Amount(0), Wei(0), ())
        except DecodeError as error:
            return Failed("undecodable", str(error))
        net = _net(tx, plan, result, done.gas, target.base_fee)
        if plan and net <= 0:
            return Failed("unprofitable", f"net {net} wei: {done.gas} gas at {target.base_fee} wei", result.profit)
        sim = Simulated(target.parent.number, done.gas, done.delta, result.profit)
        bps = plan.bid_bps if plan else Bps(0)
        return Passed(sender, tx, target.number, bps, sim, net, result.skipped, seal=_SEAL)

    async def _refused(self, done: Simulation, plan: Plan | None, state: Block) -> Failed:
        if done.output == NO_DATA:
            return Failed("reverted" if done.gas else "impossible", done.reason)
        name = decode_revert(done.output).name
        gone = name == "Gone" or (name == "NothingDone" and await self._all_gone(plan, state))
        return Failed(name, done.reason, gone=gone)

    async def _all_gone(self, plan: Plan | None, state: Block) -> bool:
        """Whether every debt is smaller than its witness allows: when all legs are undone, none says why."""
        legs = [(leg.account, leg.witness) for leg in plan.legs if leg.witness] if plan else []
        asked = [Read(one.token, "0x" + one.question(owner(account)).hex()) for account, one in legs]
        try:
            debts = await self._node.call_many(asked, state)
        except (RpcError, EndpointsUnavailable) as error:
            raise SimulationError(str(error)) from error
        pairs = zip(legs, debts, strict=True)
        return bool(legs) and all(_below(one, debt) for (_, one), debt in pairs)


def _below(witness: Witness, answer: str | None) -> bool:
    """Whether a witness has said less than it may; who says nothing has not."""
    known = answer is not None and len(answer) >= 2 + 64 * (witness.place + 1)
    return known and word(answer or "", witness.place) < witness.floor


def _net(tx: Transaction, plan: Plan | None, result: Result, gas: int, base_fee: int) -> Wei:
    price = min(tx.max_fee, base_fee + tx.tip)
    return Wei(result.profit - result.bid - gas * price - (plan.estimate.l1_fee if plan else 0))
