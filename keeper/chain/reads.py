"""What the keeper asks of one endpoint, and what makes an answer acceptable.

Law: an answer about block N comes from an endpoint that shows, in the same breath, that it has block N with that hash.
A node that is behind answers "no logs" for blocks it has not seen; it must not be believed.
"""

from collections.abc import Collection, Sequence

from keeper.chain import verify
from keeper.chain.bloom import may_hold
from keeper.chain.endpoint import Call, Endpoint
from keeper.chain.ranges import Piece, Refusal
from keeper.chain.wire import HEADER, MIXED, TEXT, Header
from keeper.core.events import Block, Log, Read
from keeper.core.units import Address, BlockNumber, Hash
from keeper.errors import BlockUnknown, Reverted, RpcError, RpcTimeout, TooMuch

Topics = Sequence[str | Sequence[str] | None]
LIMIT_EXCEEDED = -32005  # said of too many logs, of too wide a range and of too many requests alike
NO_SUCH_METHOD = -32601


# --- calls -------------------------------------------------------------------------------------------------------


def header_call(at: int | str) -> Call:
    """The call that asks for a header by number, hash or tag, without its transactions."""
    if isinstance(at, int):
        return "eth_getBlockByNumber", (hex(at), False)
    return "eth_getBlockByHash" if at.startswith("0x") else "eth_getBlockByNumber", (at, False)


def eth_call(read: Read) -> Call:
    """A read as a call, still without its block."""
    return "eth_call", ({"to": read.to, "data": read.data},)


def _filter(addresses: Collection[Address] | None, topics: Topics | None) -> dict[str, object]:
    ask: dict[str, object] = {}
    if addresses is not None:
        ask["address"] = list(addresses)
    if topics is not None:
        ask["topics"] = topics
    return ask


# --- headers -----------------------------------------------------------------------------------------------------


async def block(endpoint: Endpoint, at: int | str) -> Block | None:
    """A block by number, hash or tag. None: this endpoint has no such block on its chain."""
    header = await endpoint.ask(HEADER, *header_call(at))
    if header is None:
        return None
    found = header.block
    if isinstance(at, int) and found.number != at:
        raise RpcError(f"{endpoint.name}: block {found.number} for block {at}", transient=True)
    if isinstance(at, str) and at.startswith("0x"):  # nodes keep blocks that a reorg has thrown out
        canonical = await endpoint.ask(HEADER, *header_call(found.number))
        return found if canonical is not None and canonical.hash == at == found.hash else None
    return found


async def blocks(endpoint: Endpoint, numbers: Sequence[int]) -> list[Block]:
    """Blocks by number, in order, all of them; neighbours must follow each other."""
    answers = await endpoint.ask_all(HEADER, [header_call(number) for number in numbers])
    found = [_must(answer).block for answer in answers]
    if [each.number for each in found] != list(numbers):
        raise RpcError(f"{endpoint.name}: other blocks than asked for", transient=True)
    verify.linked(found)
    return found


def _must(answer: object) -> Header:
    if isinstance(answer, RpcError):
        raise answer
    if not isinstance(answer, Header):
        raise BlockUnknown("the endpoint does not have the block", transient=True)
    return answer


# --- logs --------------------------------------------------------------------------------------------------------


async def logs(
    endpoint: Endpoint, addresses: Collection[Address] | None, first: int, last: int, topics: Topics | None
) -> tuple[list[Log], Block]:
    """Logs of a range, with the block at its end as the endpoint sees it."""
    ask = _filter(addresses, topics) | {"fromBlock": hex(first), "toBlock": hex(last)}
    calls: list[Call] = [("eth_getLogs", (ask,)), header_call(last)]
    found, header = await endpoint.ask_all(MIXED, calls, endpoint.limits.long_timeout)
    logs = _logs(found)
    tip = _must(header).block
    if tip.number != last:
        raise RpcError(f"{endpoint.name}: block {tip.number} for block {last}", transient=True)
    return verify.ordered(logs, first, last, addresses), tip


async def logs_at(
    endpoint: Endpoint, at: Hash, addresses: Collection[Address] | None, topics: Topics | None
) -> tuple[list[Log], bool]:
    """Logs of the block with that hash, and whether they are beyond doubt.

    Some nodes have a fresh block before its logs and answer "none": in doubt when the block's bloom filter disagrees.
    """
    ask = _filter(addresses, topics) | {"blockHash": at}
    answer, found = await endpoint.ask_all(MIXED, [header_call(at), ("eth_getLogs", (ask,))])
    header = _must(answer)
    number = header.block.number
    logs = verify.ordered(_logs(found), number, number, addresses)
    if any(log.block_hash != at for log in logs):
        raise RpcError(f"{endpoint.name}: logs of another block {number}", transient=True)
    return logs, bool(logs) or not may_hold(header.logs_bloom or "0x0", addresses)


async def some_logs(
    endpoint: Endpoint, addresses: Sequence[Address] | None, piece: Piece, topics: Topics | None
) -> tuple[Piece, list[Log], Block]:
    """As much of the front of a piece as the endpoint takes; what was taken, its logs and its last block."""
    while True:
        front = next(piece.cut(endpoint.width.now))
        asked = None if addresses is None else set(addresses[front.lo : front.hi])
        try:
            found, tip = await logs(endpoint, asked, front.first, front.last, topics)
        except RpcError as error:
            piece = _narrower(endpoint, front, error)
        else:
            endpoint.width = endpoint.width.accepted(front.width, len(found))
            return front, found, tip


def _narrower(endpoint: Endpoint, front: Piece, error: RpcError) -> Piece:
    """A smaller question after a refusal. Raises the error when it is not about size, or nothing smaller exists."""
    halves = front.halves()
    if not halves or not _about_size(error):
        raise error
    if front.width > 1:
        said = Refusal(error.blocks, cap=error.cap) if isinstance(error, TooMuch) else Refusal()
        endpoint.width = endpoint.width.refused(front.width, said)
    if isinstance(error, RpcTimeout):  # the endpoint may be dead: let another answer, and ask this one less later
        raise error
    return halves[0]


def _about_size(error: RpcError) -> bool:
    """A timeout and a refusal in unknown words may be about size: asking less costs few steps and is always right."""
    if isinstance(error, TooMuch | RpcTimeout) or error.code == LIMIT_EXCEEDED:
        return True
    return not error.transient and error.code != NO_SUCH_METHOD


def _logs(found: object) -> list[Log]:
    if isinstance(found, RpcError):
        raise found
    if not isinstance(found, list):
        raise RpcError("no list of logs", transient=True)
    return found


# --- state -------------------------------------------------------------------------------------------------------


async def state(endpoint: Endpoint, calls: Sequence[Call], at: Block) -> list[str | None]:
    """Calls that take a block as their last parameter, at exactly this block. None: reverted."""
    if endpoint.by_hash is not False:
        try:
            found = await _state_by_hash(endpoint, calls, at)
        except RpcError as error:
            if error.transient:
                raise
        else:
            endpoint.by_hash = True
            return found
    found = await _state_by_number(endpoint, calls, at)
    if endpoint.by_hash is None:
        endpoint.by_hash = False  # it took the number where it did not take the hash
    return found


async def _state_by_hash(endpoint: Endpoint, calls: Sequence[Call], at: Block) -> list[str | None]:
    pin = {"blockHash": at.hash, "requireCanonical": True}
    answers = await endpoint.ask_all(TEXT, [(method, (*params, pin)) for method, params in calls])
    return [_data(answer) for answer in answers]


async def _state_by_number(endpoint: Endpoint, calls: Sequence[Call], at: Block) -> list[str | None]:
    """Between two looks at the header."""
    look: list[Call] = [header_call(at.number)]
    inner: list[Call] = [(method, (*params, hex(at.number))) for method, params in calls]
    before, *answers, after = await endpoint.ask_all(MIXED, look + inner + look)
    if any(_must(header).hash != at.hash for header in (before, after)):
        raise BlockUnknown(f"{endpoint.name}: another block {at.number}", transient=True)
    return [_data(answer) for answer in answers]


def _data(answer: object) -> str | None:
    if isinstance(answer, Reverted):
        return None
    if isinstance(answer, RpcError):
        raise answer
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise RpcError("no data", transient=True)
    return answer


# --- the endpoint itself -----------------------------------------------------------------------------------------


async def introduction(endpoint: Endpoint) -> tuple[int, Block, Block | None]:
    """Chain id, head and last finalised block."""
    calls: list[Call] = [("eth_chainId", ()), header_call("latest"), header_call("finalized")]
    chain_id, head, finalized = await endpoint.ask_all(MIXED, calls)
    number = _data(chain_id)
    if number is None:
        raise RpcError(f"{endpoint.name}: no chain id", transient=True)
    return int(number, 16), _must(head).block, finalized.block if isinstance(finalized, Header) else None


async def hashes(endpoint: Endpoint, numbers: Sequence[BlockNumber]) -> dict[BlockNumber, Hash]:
    """The endpoint's hashes of old blocks; those it does not have are left out."""
    answers = await endpoint.ask_all(HEADER, [header_call(number) for number in numbers])
    return {
        number: answer.block.hash for number, answer in zip(numbers, answers, strict=True) if isinstance(answer, Header)
    }
