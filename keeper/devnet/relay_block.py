"""How a builder turns bundles into a block.

Law: each bundle is scored alone at the top of the block: reverts that were not allowed and zero payment are out. The
rest is inserted greedily by payment for gas; a bundle whose payment in place falls below 95 % of its score is left out.
Nothing comes between the transactions of a bundle. Public transactions follow. The plan's last simulation covers the
whole block, so what is mined must equal it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from keeper.core.units import Address
from keeper.devnet.relay_book import Bundle
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_simulate import GroupResult, Impossible, Slate, simulate
from keeper.devnet.relay_tx import Tx
from keeper.errors import DevnetError

IN_PLACE: Final = 95  # percent of the score at the top of the block
LEAST_GAS: Final = 21_000  # of one transaction
MOST_GAS: Final = 2**24  # of one transaction (EIP-7825)
Nonces: TypeAlias = Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """A bundle and what it did: alone at first, then in its place."""

    bundle: Bundle
    result: GroupResult


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block, transaction by transaction, before it is mined."""

    slate: Slate
    bundles: tuple[Placed, ...]
    public: tuple[tuple[Tx, bool], ...]  # with whether it will succeed
    left_out: tuple[tuple[Bundle, str], ...]

    @property
    def txs(self) -> tuple[tuple[Tx, bool], ...]:
        """Every transaction in order, with whether it will succeed."""
        pairs = ((placed.bundle.txs, placed.result.txs) for placed in self.bundles)
        private = ((tx, did.ok) for txs, results in pairs for tx, did in zip(txs, results, strict=True))
        return (*private, *self.public)


class Room:
    """What is left of a block: gas, and each sender's next nonce."""

    def __init__(self, slate: Slate, nonces: Nonces) -> None:
        self._slate = slate
        self._nonces = dict(nonces)
        self._gas = 0

    def admit(self, txs: Sequence[Tx], used: Sequence[int]) -> str | None:
        """Take the room these need, or say why they cannot have it."""
        nonces: dict[Address, int] = {}
        gas = self._gas
        for tx, burnt in zip(txs, used, strict=True):
            expected = nonces.get(tx.sender, self._nonces[tx.sender])
            if tx.nonce != expected:
                return f"nonce too {'low' if tx.nonce < expected else 'high'}: tx: {tx.nonce} state: {expected}"
            if tx.max_fee < self._slate.base_fee:
                return "max fee per gas less than block base fee"
            if tx.gas > MOST_GAS:
                return "exceeds the gas cap of a transaction"
            if gas + tx.gas > self._slate.gas_limit:
                return "no gas left in the block"
            nonces[tx.sender] = expected + 1
            gas += burnt
        self._nonces |= nonces
        self._gas = gas
        return None


class BlockBuilder:
    """Builds one block."""

    def __init__(self, node: Node, slate: Slate, nonces: Nonces) -> None:
        self._node = node
        self._slate = slate
        self._nonces = nonces
        self._left_out: list[tuple[Bundle, str]] = []

    async def build(self, bundles: Iterable[Bundle], public: Sequence[Tx]) -> BlockPlan:
        """The best block from these."""
        scored = [one for bundle in bundles if (one := await self._score(bundle)) is not None]
        bases = {one.bundle.backruns for one in scored} - {None}
        scored.sort(key=lambda one: _worth(one, one.bundle.event in bases), reverse=True)
        landed = await self._merge(scored)
        last = await self._append(landed, public)
        return BlockPlan(self._slate, tuple(landed), last, tuple(self._left_out))

    async def _score(self, bundle: Bundle) -> Placed | None:
        """Alone, at the top of the block."""
        problem = Room(self._slate, self._nonces).admit(bundle.txs, [0] * len(bundle.txs))
        if problem is None:
            results = await simulate(self._node, self._slate, [bundle.txs])
            if not isinstance(results, Impossible):
                problem = _forbidden(bundle, results[0])
                if problem is None:
                    return Placed(bundle, results[0])
            else:
                problem = results.reason
        self._left_out.append((bundle, problem))
        return None

    async def _merge(self, waiting: list[Placed]) -> list[Placed]:
        """Insert greedily. Every pass leaves at least one bundle out, or is the last."""
        landed: list[Placed] = []
        while True:
            chosen, no_room = self._choose(landed, waiting)
            groups = [one.bundle.txs for one in (*landed, *chosen)]
            results = (await self._run(groups))[len(landed) :]
            out = _losers(chosen, results, self._room_after(landed))
            good = [Placed(one.bundle, did) for one, did in zip(chosen, results, strict=False)]
            if not out:
                self._left_out += no_room
                return [*landed, *good]
            self._left_out += [(chosen[at].bundle, problem) for at, problem in out.items()]
            settled = {one.bundle.arrival for one in chosen[: min(out)]} | {chosen[at].bundle.arrival for at in out}
            landed += good[: min(out)]
            waiting = [one for one in waiting if one.bundle.arrival not in settled]

    def _choose(
        self, landed: Sequence[Placed], waiting: Sequence[Placed]
    ) -> tuple[list[Placed], list[tuple[Bundle, str]]]:
        """Those waiting, best first, for whom there is room after the landed; and the others, with the reason."""
        room = self._room_after(landed)
        chosen: list[Placed] = []
        no_room: list[tuple[Bundle, str]] = []
        for one in waiting:
            problem = room.admit(one.bundle.txs, [did.gas for did in one.result.txs])
            if problem is None:
                chosen.append(one)
            else:
                no_room.append((one.bundle, f"a better bundle took its place: {problem}"))
        return chosen, no_room

    async def _append(self, landed: Sequence[Placed], public: Sequence[Tx]) -> tuple[tuple[Tx, bool], ...]:
        """As many public transactions as can follow; they may revert."""
        waiting = list(public)
        while True:
            chosen = _in_turn(waiting, self._room_after(landed))
            groups = [*(one.bundle.txs for one in landed), *((tx,) for tx in chosen)]
            results = (await self._run(groups))[len(landed) :]
            room = self._room_after(landed)
            fits = [room.admit([tx], [did.gas]) is None for tx, did in zip(chosen, results, strict=False)]
            if len(results) == len(chosen) and all(fits):
                return tuple((tx, did.txs[0].ok) for tx, did in zip(chosen, results, strict=True))
            out = {tx.hash for tx, fit in zip(chosen, fits, strict=False) if not fit}
            out |= {tx.hash for tx in chosen[len(results) : len(results) + 1]}  # the one that the node does not run
            waiting = [tx for tx in waiting if tx.hash not in out]

    async def _run(self, groups: Sequence[Sequence[Tx]]) -> list[GroupResult]:
        """The results of the longest prefix that the node is willing to run."""
        results = await simulate(self._node, self._slate, groups)
        if not isinstance(results, Impossible):
            return results
        longest: list[GroupResult] = []
        fails = len(groups)
        while fails - len(longest) > 1:
            middle = (len(longest) + fails) // 2
            results = await simulate(self._node, self._slate, groups[:middle])
            if isinstance(results, Impossible):
                fails = middle
            else:
                longest = results
        return longest

    def _room_after(self, landed: Sequence[Placed]) -> Room:
        room = Room(self._slate, self._nonces)
        for one in landed:
            if problem := room.admit(one.bundle.txs, [did.gas for did in one.result.txs]):
                raise DevnetError(f"the stand-in relay placed a bundle for which there is no room: {problem}")
        return room


def _in_turn(txs: Sequence[Tx], room: Room) -> list[Tx]:
    """Those for whom there is room, first come first served; a later nonce waits for the earlier one."""
    chosen: list[Tx] = []
    waiting = list(txs)
    while admitted := [tx for tx in waiting if room.admit([tx], [LEAST_GAS]) is None]:
        chosen += admitted
        done = {tx.hash for tx in admitted}
        waiting = [tx for tx in waiting if tx.hash not in done]
    return chosen


def _worth(one: Placed, is_base: bool) -> tuple[int, float, int]:  # noqa: FBT001 - a sort key
    """Order of insertion. A sequencer's go by arrival; what others build upon stands back for them."""
    if one.bundle.fifo:
        return 1, 0.0, -one.bundle.arrival
    return (-1 if is_base else 0), one.result.price, -one.bundle.arrival


def _forbidden(bundle: Bundle, result: GroupResult) -> str | None:
    """What no builder accepts of a bundle, wherever it stands."""
    if bundle.fifo:
        return None
    for tx, did in zip(bundle.txs, result.txs, strict=True):
        if not did.ok and tx.hash not in bundle.reverting:
            return f"reverts: {did.error}"
    return None if result.delta > 0 else "pays nothing"


def _losers(chosen: Sequence[Placed], results: Sequence[GroupResult], room: Room) -> dict[int, str]:
    """Who does not hold up in place, by index, as far as it can be told before they are gone.

    A lone transaction that reverts leaves the state to those behind it as if it were not there; anything else that is
    left out may have changed it, so nothing behind it is judged in this pass.
    """
    out: dict[int, str] = {}
    for at, (one, did) in enumerate(zip(chosen, results, strict=False)):
        problem = _forbidden(one.bundle, did)
        if problem is None and not one.bundle.fifo and did.delta * 100 < one.result.delta * IN_PLACE:
            problem = "pays less in place"
        if problem is None:
            problem = room.admit(one.bundle.txs, [tx.gas for tx in did.txs])
        if problem is not None:
            out[at] = problem
            if len(did.txs) > 1 or did.txs[0].ok:
                return out
    if not out and len(results) < len(chosen):
        out[len(results)] = "cannot be run after the others"
    return out
