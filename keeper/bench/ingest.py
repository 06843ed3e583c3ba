"""From bytes of ``eth_getLogs`` to an applied book, against web3 reading the same bytes; memory and restart at size.

Law: both sides begin with the same response body in the same process, in turns, and the ratio is of medians.
"""

import ctypes
import gc
import json
import multiprocessing
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from hexbytes import HexBytes
from web3 import Web3
from web3.datastructures import AttributeDict

from keeper.chain import wire
from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.units import RAY, Address, BlockNumber, Hash, Timestamp, Wei
from keeper.indexer.history import collector_paused
from keeper.protocols.aave_v3 import facts, tokens, topics
from keeper.protocols.aave_v3.apply import Applier
from keeper.store.store import Store

LOGS: Final = 20_000
BASELINE_LOGS: Final = 400  # web3 is slow enough for its share to be steady
ROUNDS: Final = 7
RESERVES: Final = 30
PEOPLE: Final = 2_500  # in the logs, each with three positions
POSITIONS: Final = (3, 4)  # an account has the one or the other: 3.5 on average
MINT: Final = {
    "type": "event",
    "name": "Mint",
    "anonymous": False,
    "inputs": [
        {"name": "caller", "type": "address", "indexed": True},
        {"name": "onBehalfOf", "type": "address", "indexed": True},
        {"name": "value", "type": "uint256", "indexed": False},
        {"name": "balanceIncrease", "type": "uint256", "indexed": False},
        {"name": "index", "type": "uint256", "indexed": False},
    ],
}


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    return _ingest() | _at_size(accounts)


# --- ingestion -------------------------------------------------------------------------------------------------


def _ingest() -> dict[str, Any]:
    body, some = _body(LOGS), _body(BASELINE_LOGS)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_timed(lambda: _apply(body)) / LOGS)
        theirs.append(_timed(lambda: _web3(some)) / BASELINE_LOGS)
    mine, web3 = statistics.median(ours), statistics.median(theirs)
    return {
        "us_per_log": round(mine * 1e6, 2),
        "web3_process_log_us": round(web3 * 1e6, 1),
        "ratio_web3_to_this": round(web3 / mine, 1),
    }


def _apply(body: bytes) -> Book:
    """Bytes → typed logs → events → book."""
    book, applier = _market(), Applier()
    logs = wire.one(body, wire.LOGS)
    block = Block(BlockNumber(1), Hash("0x"), Hash("0x"), Timestamp(1), Wei(0), 0, 0)
    with collector_paused():
        applier.apply(book, logs, block)
    return book


def _web3(body: bytes) -> list[Any]:
    """Bytes → web3's own event data, as its documentation reads logs."""
    event = Web3().eth.contract(abi=[MINT]).events.Mint()
    found = []
    for log in json.loads(body)["result"]:
        entry = dict(log)
        entry["topics"] = [HexBytes(topic) for topic in log["topics"]]
        entry["data"] = HexBytes(log["data"])
        for number in ("blockNumber", "transactionIndex", "logIndex"):
            entry[number] = int(log[number], 16)
        found.append(event.process_log(AttributeDict(entry)))
    return found


def _body(count: int) -> bytes:
    """A response as a node sends it: supplies and borrows of many accounts in all reserves."""
    return json.dumps({"jsonrpc": "2.0", "id": 0, "result": [_log(i) for i in range(count)]}).encode()


def _log(i: int) -> dict[str, Any]:
    index = RAY + RAY // 7 + i
    person = i * 2_654_435_761 % PEOPLE
    account = f"0x{person:064x}"
    reserve = person * 7 + i // PEOPLE % 3  # of the few assets that this person uses
    return {
        "address": _token(reserve % RESERVES, reserve % 2),
        "topics": [topics.MINT, account, account],
        "data": f"0x{10**18 + i * 10**9:064x}{i:064x}{index:064x}",
        "blockNumber": "0x10d4f",
        "blockHash": f"0x{7:064x}",
        "blockTimestamp": "0x65f0c3a0",
        "transactionHash": f"0x{i:064x}",
        "transactionIndex": "0x1",
        "logIndex": hex(i),
        "removed": False,
    }


def _token(reserve: int, side: int) -> Address:
    return Address(f"0x{0xA000 + reserve * 4 + side:040x}")


def _market() -> Book:
    book = Book()
    for reserve in range(RESERVES):
        listing = facts.Listing(reserve, _token(reserve, 0), _token(reserve, 1), _token(reserve, 2), 18)
        book.learn("listing", f"0x{reserve:040x}", listing)
        for side, profile in enumerate((tokens.COLLATERAL_3_5, tokens.DEBT_3_5)):
            book.learn("impl", _token(reserve, side), f"0x{side:040x}")
            book.learn("code", f"0x{side:040x}", profile.name)
    return book


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.process_time()  # of this process alone, so that a busy machine does not decide
    work()
    return time.process_time() - started


# --- at size ---------------------------------------------------------------------------------------------------


def _at_size(accounts: int) -> dict[str, Any]:
    """Each measurement in a process of its own, so that memory is what it looks like."""
    with tempfile.TemporaryDirectory(prefix="keeper-bench-") as folder:
        path = Path(folder) / "state.sqlite"
        context = multiprocessing.get_context("spawn")
        with context.Pool(1, maxtasksperchild=1) as pool:
            pool.apply(_write, (path, accounts))
            plain = statistics.median(pool.apply(_read_rows, (path,)) for _ in range(3))
            seconds, memory, positions = pool.apply(_restart, (path,))
    return {
        "accounts": accounts,
        "positions": positions,
        "bytes_per_account": round(memory / accounts, 1),
        "restart_s": round(seconds, 2),
        "plain_read_s": round(plain, 2),
        "ratio_restart_to_plain_read": round(seconds / plain, 2),
    }


def _write(path: Path, accounts: int) -> None:
    """A state file as a long run would leave it."""
    store = Store(path, 1)
    market = store.market("aave_v3", Address("0x" + "11" * 20))
    draw = np.random.default_rng(1)
    marks = draw.integers(0, 2**63, accounts, dtype=np.uint64)
    amounts = draw.integers(1, 2**63, accounts * 4, dtype=np.uint64)
    with store.transaction() as db:
        db.executemany(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?)",
            ((market, row, *_account(row, int(marks[row]), amounts[row * 4 : row * 4 + 4])) for row in range(accounts)),
        )
    store.close()


def _account(row: int, mark: int, amounts: "np.ndarray[Any, np.dtype[np.uint64]]") -> tuple[str, bytes, bytes]:
    held = POSITIONS[row % 2]
    positions = np.zeros(held, dtype="<u2,<u8,<u8")
    positions["f0"] = (np.arange(held) * 7 + row) % 100
    positions["f1"] = amounts[:held]
    return f"0x{row * 0x9E3779B97F4A7C15 % 2**160:040x}", mark.to_bytes(16, "little") + b"\0\0", positions.tobytes()


def _read_rows(path: Path) -> float:
    """The same rows from SQLite and nothing else."""
    started = time.perf_counter()
    db = sqlite3.connect(path)
    db.execute("SELECT row, account, mark, positions FROM account WHERE market = 1 ORDER BY row").fetchall()
    return time.perf_counter() - started


def _restart(path: Path) -> tuple[float, int, int]:
    """Seconds to a loaded book, the bytes it keeps, and how many positions it holds."""
    gc.collect()
    before = _resident()
    started = time.perf_counter()
    book = Store(path, 1).load(1, facts.TYPES)
    seconds = time.perf_counter() - started
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    memory = _resident() - before
    return seconds, memory, sum(1 for row in range(len(book)) for _ in book.positions(row))


def _resident() -> int:
    """Bytes of this process in memory now."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()
