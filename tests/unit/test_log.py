"""What a line of the log looks like, and that it keeps to the schema."""

import ast
import asyncio
import datetime as dt
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from enum import Enum, IntEnum
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keeper
from keeper import log
from keeper.log_events import COMMON, CONTEXT, TYPES, problems, schema
from keeper.output import decimal

PACKAGE = Path(keeper.__file__).parent
METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
MAX_U256 = 2**256 - 1


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    log.configure(stream=sys.stderr)


@pytest.fixture
def stream() -> io.StringIO:
    out = io.StringIO()
    log.configure(stream=out)
    return out


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_time_has_its_fraction_also_when_that_is_zero(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sharp(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Sharp":
            return cls(2026, 11, 27, 12, 0, 28, 0, tz)

    monkeypatch.setattr("structlog.processors.datetime", SimpleNamespace(datetime=Sharp, timezone=dt.timezone))
    log.get_logger().info("indexer.resumed", market="a", block=1)
    (line,) = lines(stream)
    assert line["ts"] == "2026-11-27T12:00:28.000000Z"


def test_a_line_has_its_head_in_order_and_integers_as_decimal_strings(stream: io.StringIO) -> None:
    log.bind(chain_id=1)
    account = "0x" + "ab" * 20
    log.get_logger(reason="below_one").warning(
        "account.liquidatable", market=account, health_factor=MAX_U256, account=account, block=5
    )
    (line,) = lines(stream)
    assert list(line)[:7] == ["ts", "level", "event", "run_id", "chain_id", "block", "account"]
    assert (line["block"], line["chain_id"], line["health_factor"]) == ("5", "1", str(MAX_U256))
    assert problems(line) == []


def test_one_run_has_one_id_and_the_next_another() -> None:
    ids = []
    for _ in range(2):
        out = io.StringIO()
        log.configure(stream=out)
        log.get_logger().info("daemon.stopping")
        log.get_logger().info("daemon.stopped")
        ids.append({line["run_id"] for line in lines(out)})
    assert [len(run) for run in ids] == [1, 1]
    assert ids[0] != ids[1]


async def test_a_task_passes_its_block_on_and_no_other_sees_it(stream: io.StringIO) -> None:
    async def work(block: int) -> None:
        log.bind(block=block)
        await asyncio.sleep(0)
        await asyncio.create_task(inner())

    async def inner() -> None:
        log.get_logger().info("daemon.stopping")

    await asyncio.gather(work(1), work(2))
    log.get_logger().info("daemon.stopped")
    assert [line.get("block") for line in lines(stream)] == ["1", "2", None]


def test_levels_below_the_least_are_not_written() -> None:
    out = io.StringIO()
    log.configure("warning", stream=out)
    log.get_logger().info("daemon.stopping")
    log.get_logger().error("daemon.stopped")
    assert [line["level"] for line in lines(out)] == ["error"]


def test_people_get_text_and_the_same_values() -> None:
    out = io.StringIO()
    log.configure(stream=out, human=True)
    log.get_logger().error("daemon.stopped", exit_code=5, exc_info=ValueError("broken https://me:hunter22@node/"))
    text = out.getvalue()
    assert "daemon.stopped" in text
    assert "exit_code=5" in text
    assert "ValueError: broken https://***:***@node/" in text


def test_what_libraries_say_is_an_event_too(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.client").warning("%s of %s", 1, "wss://me:hunter22@node")
    logging.getLogger("asyncio").error("Task exception", exc_info=ValueError("hunter22 at wss://me:hunter22@node"))
    logging.getLogger("aiohttp.client").info("not this")
    first, second = lines(stream)
    assert problems(first) == problems(second) == []
    assert (first["library"], first["message"]) == ("aiohttp.client", "1 of wss://***:***@node")
    assert "ValueError" in str(second["exception"])


def test_a_log_nobody_can_read_is_counted_and_stops_nothing() -> None:
    sink = log.configure(stream=_Closed())
    log.get_logger().info("daemon.stopping")
    assert sink.lost == 1


def test_a_log_on_a_full_disk_is_counted_and_stops_nothing() -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - closing it fails, as it should
    sink = log.configure(stream=full)
    log.get_logger().info("daemon.stopping")
    log.get_logger().info("daemon.stopped")
    assert sink.lost == 2
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_a_reader_that_hangs_is_waited_for_once_and_stops_nothing() -> None:
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8") as reader, os.fdopen(write, "w", encoding="utf-8") as pipe:
        sink = log.configure(stream=pipe)
        for _ in range(2_000):  # far more than a pipe holds
            log.get_logger().info("daemon.stopping")
        assert sink.lost > 0
        lost, there = sink.lost, 2_000 - sink.lost
        told = [json.loads(reader.readline()) for _ in range(there)]
        log.get_logger().info("daemon.stopped")
        assert sink.lost == lost
        assert [line["event"] for line in told] == ["daemon.stopping"] * there
        assert json.loads(reader.readline())["event"] == "daemon.stopped"


class _Closed(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.close()

    def isatty(self) -> bool:
        return False


# --- exact output ----------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_no_integer_is_left_and_none_is_changed(value: object) -> None:
    def back(plain: object, original: object) -> None:
        assert isinstance(plain, bool) or not isinstance(plain, int)
        if isinstance(original, dict) and isinstance(plain, dict):
            for key, item in original.items():
                back(plain[key], item)
        elif isinstance(original, list) and isinstance(plain, list):
            for one, other in zip(plain, original, strict=True):
                back(one, other)
        elif isinstance(original, int) and not isinstance(original, bool):
            assert int(str(plain)) == original
        else:
            assert plain == original

    back(decimal(value), value)


def test_enums_are_their_values_and_bytes_are_hex() -> None:
    class Kind(Enum):
        A = "a"

    class Number(IntEnum):
        ONE = 1

    assert decimal([Kind.A, Number.ONE, b"\x01", (1,), frozenset({2}), {3: 4}]) == [
        "a",
        "1",
        "0x01",
        ["1"],
        ["2"],
        {"3": "4"},
    ]


# --- the schema ------------------------------------------------------------------------------------------------


def test_the_schema_itself_is_sound() -> None:
    for name, event in schema().items():
        own = dict(event.fields) | dict(event.optional)
        assert event.says.endswith("."), name
        assert set(own.values()) <= TYPES, name
        assert len(own) == len(event.fields) + len(event.optional), name
        assert not own.keys() & (COMMON.keys() | CONTEXT.keys()), name


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"event": "no.such"}, "unknown event 'no.such'"),
        ({"depth": None}, "indexer.reorg: depth = None is not int"),
        ({"depth": 5}, "indexer.reorg: depth = 5 is not int"),
        ({"more": "1"}, "indexer.reorg: more is not in the schema"),
        ({"account": "0xAB"}, "indexer.reorg: account = '0xAB' is not account"),
        ({"ts": "today"}, "indexer.reorg: ts = 'today' is not time"),
    ],
)
def test_a_line_that_breaks_the_schema_is_told(stream: io.StringIO, change: dict[str, object], complaint: str) -> None:
    log.get_logger().warning("indexer.reorg", depth=3)
    (line,) = lines(stream)
    assert problems(line) == []
    assert problems(line | change) == [complaint]
    assert problems({key: value for key, value in line.items() if key != "depth"}) == [
        "indexer.reorg: depth is missing"
    ]


def logging_calls() -> list[tuple[str, ast.Call]]:
    return [
        (f"{file.relative_to(PACKAGE)}:{node.lineno}", node)
        for file in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in METHODS
        and "log" in ast.unparse(node.func.value).lower()
    ]


def test_every_logging_call_of_the_package_is_in_the_schema() -> None:
    wrong = []
    calls = logging_calls()
    for where, call in calls:
        name = next((str(arg.value) for arg in call.args if isinstance(arg, ast.Constant)), "")
        event = schema().get(name)
        if event is None:
            wrong.append(f"{where}: {name!r} is not an event")
            continue
        given_fields = {keyword.arg for keyword in call.keywords}
        known = event.fields.keys() | event.optional.keys() | CONTEXT.keys() | {"exc_info", None}
        wrong += [f"{where}: {name} has no field {field}" for field in sorted(given_fields - known, key=str)]
        if None not in given_fields:
            wrong += [f"{where}: {name} lacks {field}" for field in sorted(event.fields.keys() - given_fields)]
    assert calls
    assert wrong == []
