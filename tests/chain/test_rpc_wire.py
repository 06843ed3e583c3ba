"""Bodies as nodes and providers really send them: each becomes an answer, or the error that it is."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain import wire
from keeper.chain.faults import Fault, read_fault
from keeper.core.events import Block, Log
from keeper.errors import BlockUnknown, Reverted, RpcError, TooMuch

HASH = "0x" + "ab" * 32
LOG = {
    "address": "0x" + "11" * 20,
    "topics": [HASH],
    "data": "0x",
    "blockNumber": "0x10",
    "blockHash": HASH,
    "transactionHash": HASH,
    "transactionIndex": "0x0",
    "logIndex": "0x2",
    "removed": False,
}
HEADER = {
    "number": "0x10",
    "hash": HASH,
    "parentHash": "0x" + "cd" * 32,
    "timestamp": "0x65",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x5208",
    "baseFeePerGas": "0x7",
    "logsBloom": "0x00",
    "uncles": [],
}


def body(result: object, call_id: int = 0) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": call_id, "result": result})


def fault(code: object, message: object, data: object = None) -> dict[str, object]:
    return {"code": code, "message": message} | ({} if data is None else {"data": data})


def refused(error: object, status: int = 200) -> RpcError:
    with pytest.raises(RpcError) as caught:
        wire.one(msgspec.json.encode({"jsonrpc": "2.0", "id": 0, "error": error}), wire.TEXT, status)
    return caught.value


def test_logs_are_typed_in_one_pass() -> None:
    (log,) = wire.one(body([LOG]), wire.LOGS)
    assert isinstance(log, Log)
    assert (log.block, log.index, log.topics) == (16, 2, (HASH,))


def test_a_header_is_a_block_and_a_missing_one_is_none() -> None:
    header = wire.one(body(HEADER), wire.HEADER)
    assert header is not None
    assert header.block == Block(16, HASH, "0x" + "cd" * 32, 101, 7, 30_000_000, 21_000)  # type: ignore[arg-type]
    assert wire.one(body(None), wire.HEADER) is None


def test_a_header_before_london_has_no_base_fee() -> None:
    header = wire.one(body({k: v for k, v in HEADER.items() if k != "baseFeePerGas"}), wire.HEADER)
    assert header is not None
    assert header.block.base_fee == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"<html><body>Checking your browser</body></html>", 200),
        (b"", 200),
        (body([LOG])[:-40], 200),
        (b'{"jsonrpc":"2.0","id":0}', 200),
        (b'{"jsonrpc":"2.0","id":0,"result":null}', 200),  # null is not an empty list
        (b'{"jsonrpc":"2.0","id":0,"result":"0x"}', 200),
        (b"[]", 200),
        (b"Too Many Requests", 429),
        (b"<html>502 Bad Gateway</html>", 502),
        (b"", 503),
    ],
)
def test_what_is_not_a_list_of_logs_is_a_transient_error(sent: bytes, status: int) -> None:
    with pytest.raises(RpcError) as caught:
        wire.one(sent, wire.LOGS, status)
    assert caught.value.transient


@given(st.data(), st.sampled_from([200, 429, 500]))
def test_a_cut_body_is_never_an_answer(data: st.DataObject, status: int) -> None:
    batch = b"[" + body([LOG, LOG]) + b"," + body(HEADER, 1) + b"]"
    cut = data.draw(st.integers(0, len(batch) - 1))
    with pytest.raises(RpcError) as caught:
        wire.many(batch[:cut], wire.MIXED, 2, status)
    assert caught.value.transient
    single = body([LOG, LOG])
    with pytest.raises(RpcError):
        wire.one(single[: cut % len(single)], wire.LOGS, status)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_an_error_of_ours_and_no_other(garbage: bytes) -> None:
    with pytest.raises(RpcError):
        wire.one(garbage, wire.LOGS)
    with pytest.raises(RpcError):
        wire.many(garbage + b"x", wire.MIXED, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_by_http_is_permanent(status: int) -> None:
    with pytest.raises(RpcError) as caught:
        wire.one(b"no", wire.LOGS, status)
    assert not caught.value.transient
    assert caught.value.code == status


def test_a_body_that_is_too_large_for_a_gateway_asks_for_less() -> None:
    with pytest.raises(TooMuch):
        wire.one(b"<html>413</html>", wire.LOGS, 413)


def test_an_error_object_counts_whatever_the_http_status() -> None:
    error = refused(fault(-32600, "this block range should work: [0x10, 0x1f]. block range"), 400)
    assert isinstance(error, TooMuch)
    assert error.blocks == 16


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (fault(3, "execution reverted: Pausable: paused", "0x08c379a0"), "0x08c379a0"),  # geth
        (fault(3, "execution reverted", "0x"), "0x"),  # anvil
        (fault(-32000, "execution reverted"), "0x"),  # old geth
        (fault(-32000, "invalid opcode: INVALID"), "0x"),
        (fault(-32000, "out of gas"), "0x"),
        (fault(-32015, "VM execution error.", "Reverted 0x4e487b71"), "0x4e487b71"),  # OpenEthereum's family
        (fault(-32603, "EVM error InvalidFEOpcode"), "0x"),  # anvil
        (fault(-32603, "EVM error StackUnderflow"), "0x"),
        (fault(-32000, "VM Exception while processing transaction: revert"), "0x"),
    ],
)
def test_an_undone_call_is_a_revert(error: dict[str, object], data: str) -> None:
    found = refused(error)
    assert isinstance(found, Reverted)
    assert (found.data, found.transient) == (data, False)


@pytest.mark.parametrize(
    "error",
    [
        fault(-32000, "unknown block"),
        fault(-32000, "header not found"),
        fault(-32001, "Resource not found"),
        fault(-32000, "missing trie node 5f8a (path )"),
        fault(-32602, "BlockOutOfRangeError: block height is 100 but requested was 65535"),
        fault(-32000, "hash 0xab is not currently canonical"),
        fault(-39001, "block not found: finalized"),
        fault(-32000, "required historical state unavailable (reexec=128)"),
    ],
)
def test_a_block_that_is_not_there_is_not_an_answer(error: dict[str, object]) -> None:
    assert isinstance(refused(error), BlockUnknown)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        ("internal hiccup", True),
        (fault(-32603, "Internal error"), True),
        (fault(-32603, "EVM error DatabaseError(upstream is gone)"), True),  # a fork whose origin fails is no revert
        (fault(-32000, "something new"), True),
        (fault(-32005, "daily request count exceeded, request rate limited"), True),
        (fault(429, "Your app has exceeded its compute units per second capacity"), True),
        (fault("-32601", "the method trace_block does not exist/is not available"), False),
        (fault(-32602, "invalid argument 0: hex string without 0x prefix"), False),
        (fault(None, None), True),
        ({}, True),
        (fault(-38014, "insufficient funds for gas * price + value"), False),
        (fault(-32000, "intrinsic gas too high -- CallGasCostMoreThanGasLimit"), False),
        (fault(-32000, "max fee per gas less than block base fee: address 0x1"), False),
    ],
)
def test_other_faults_are_transient_unless_the_question_was_wrong(error: object, transient: bool) -> None:  # noqa: FBT001
    found = refused(error)
    assert type(found) is RpcError
    assert found.transient is transient


def test_what_a_provider_hides_in_data_is_read() -> None:
    data = msgspec.Raw(b'{"payload":"range 9009594 is bigger than range limit 2000"}')
    found = read_fault(Fault(-32602, "invalid params", data))
    assert isinstance(found, TooMuch)
    assert (found.blocks, found.cap) == (2_000, True)


def test_a_batch_is_sorted_by_id_and_every_call_gets_an_answer_or_an_error() -> None:
    sent = msgspec.json.encode(
        [
            {"id": 2, "result": "0x2"},
            {"id": 0, "result": "0x0"},
            {"id": 1, "error": fault(3, "execution reverted", "0x")},
        ]
    )
    zero, one, two, three = wire.many(sent, wire.TEXT, 4)
    assert (zero, two) == ("0x0", "0x2")
    assert isinstance(one, Reverted)
    assert isinstance(three, RpcError)
    assert three.transient


def test_a_batch_that_is_refused_as_a_whole_raises_what_was_said() -> None:
    sent = msgspec.json.encode({"id": None, "error": fault(-32600, "batch limit of 10 exceeded")})
    with pytest.raises(RpcError, match="batch limit") as caught:
        wire.many(sent, wire.TEXT, 2)
    assert not caught.value.transient
    with pytest.raises(RpcError, match="malformed"):
        wire.many(b"<html>", wire.TEXT, 2)


def test_requests_are_plain_json_rpc() -> None:
    sent = wire.encode(wire.Request(7, "eth_call", ({"to": "0x1"}, "latest")))
    assert msgspec.json.decode(sent) == {
        "id": 7,
        "jsonrpc": "2.0",
        "method": "eth_call",
        "params": [{"to": "0x1"}, "latest"],
    }
