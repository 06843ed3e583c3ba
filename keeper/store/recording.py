"""A recorded range of blocks: Parquet files that DuckDB or Polars read as they are, and the state at its start.

    manifest.json         chain, first and last block, names of tokens
    state.sqlite          books at the first block
    blocks.parquet        headers
    events.parquet        logs of every market and pool
    calls.parquet         what else was asked of the chain: reads, code, storage
    prices.parquet        what each market's oracle says, block by block
    pools.parquet         depth and price of each pool, both ways, block by block
    liquidations.parquet  who was liquidated, by whom, for how much

Laws
- Whatever the keeper asked while it was recorded is answered again, and nothing else: an unasked question is an error.
- Integers that may not fit 64 bits are decimal strings.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from keeper.core.events import Block, Log, Read
from keeper.core.ports import Topics
from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.errors import BlockUnknown, ConfigError, StateCorrupt, WrongChain

FORMAT: Final = 1
INSTALL: Final = "pip install 'keeper[reports]'"
STATE: Final = "state.sqlite"
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "blocks": {
        "number": "int64", "hash": "string", "parent": "string", "timestamp": "int64", "base_fee": "string",
        "gas_limit": "int64", "gas_used": "int64",
    },
    "events": {
        "block": "int64", "block_hash": "string", "tx": "string", "tx_index": "int64", "log_index": "int64",
        "address": "string", "topic0": "string", "topic1": "string", "topic2": "string", "topic3": "string",
        "data": "string",
    },
    "calls": {"block_hash": "string", "kind": "string", "to": "string", "data": "string", "answer": "string"},
    "prices": {
        "block": "int64", "protocol": "string", "market": "string", "asset": "string", "symbol": "string",
        "price": "string", "unit": "string",
    },
    "pools": {
        "block": "int64", "pool": "string", "kind": "string", "sold": "string", "bought": "string", "fee": "int64",
        "reserve_in": "string", "reserve_out": "string", "capacity": "string", "price": "double",
    },
    "liquidations": {
        "block": "int64", "block_hash": "string", "tx": "string", "protocol": "string", "market": "string",
        "account": "string", "collateral_asset": "string", "debt_asset": "string", "repaid": "string",
        "seized": "string", "liquidator": "string",
    },
}  # fmt: skip

Row = Mapping[str, object]


def parquet() -> Any:  # noqa: ANN401 - an extra without types
    """pyarrow.parquet, or how to get it."""
    try:
        import pyarrow.parquet as found  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"recordings need pyarrow, which is not installed: {INSTALL}") from error
    return found


@dataclass(slots=True)
class Tape:
    """Everything that was asked and answered, and what was seen."""

    chain_id: int
    first: int = 0
    last: int = 0
    names: dict[Address, str] = field(default_factory=dict)
    blocks: dict[Hash, Block] = field(default_factory=dict)
    events: dict[Hash, dict[int, Log]] = field(default_factory=lambda: defaultdict(dict))
    calls: dict[tuple[Hash, str, str, str], str | None] = field(default_factory=dict)
    seen: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))  # prices, pools, liquidations

    def save(self, folder: Path, state: Path) -> None:
        """Write it all; ``state``: the books at the first block."""
        parquet()
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(state, folder / STATE)
        for name, rows in {
            **_rows(self),
            **{name: self.seen[name] for name in ("prices", "pools", "liquidations")},
        }.items():
            _write(folder / f"{name}.parquet", TABLES[name], rows)
        manifest = {"format": FORMAT, "chain_id": self.chain_id, "first": self.first, "last": self.last,
                    "names": self.names}  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path, chain_id: int) -> Tape:
    """A recording of this chain."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder} is not a recording: {error}") from error
    if not known:
        raise StateCorrupt(f"{folder} has format {manifest['format']}, this keeper reads {FORMAT}: record it anew")
    if manifest["chain_id"] != chain_id:
        msg = f"{folder} is of chain {manifest['chain_id']}, the configuration says {chain_id}: use another recording"
        raise WrongChain(msg)
    tape = Tape(chain_id, manifest["first"], manifest["last"], manifest["names"])
    try:
        for row in _read(folder / "blocks.parquet"):
            tape.blocks[Hash(row["hash"])] = _block(row)
        for row in _read(folder / "events.parquet"):
            tape.events[Hash(row["block_hash"])][row["log_index"]] = _log(row)
        for row in _read(folder / "calls.parquet"):
            tape.calls[row["block_hash"], row["kind"], row["to"], row["data"]] = row["answer"]
        tape.seen["liquidations"] = list(_read(folder / "liquidations.parquet"))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StateCorrupt(f"the recording in {folder} is damaged ({error})") from error
    return tape


class Recorded:
    """A recording as a chain: pinned to one of its blocks at a time."""

    def __init__(self, tape: Tape, at: int) -> None:
        self.tape = tape
        self.at = at
        self._by_number = {block.number: block for block in tape.blocks.values()}

    async def head(self) -> Block:
        return self._by_number[BlockNumber(self.at)]

    async def finalized(self) -> Block | None:
        return None

    async def block(self, at: int | str, /) -> Block | None:
        """A header of the range; nothing beyond the block that is pinned."""
        found = self._by_number.get(BlockNumber(at)) if isinstance(at, int) else self.tape.blocks.get(Hash(at))
        return found if found is not None and found.number <= self.at else None

    async def logs(
        self, addresses: Collection[Address], first: int, last: int, topics: Topics | None = None
    ) -> list[Log]:
        """Of a range within the recording."""
        if first < self.tape.first or last > self.at:
            raise BlockUnknown(f"blocks {first} to {last} are not in the recording of {self.tape.first} to {self.at}")
        found = [
            log
            for number in range(max(first, self.tape.first + 1), last + 1)
            for log in await self.logs_at(self._by_number[BlockNumber(number)].hash, addresses)
        ]
        return [log for log in found if _matches(log, topics or ())]

    async def logs_at(self, block: Hash, addresses: Collection[Address], /) -> list[Log]:
        held = self.tape.events.get(block, {})
        return [held[index] for index in sorted(held) if held[index].address in addresses]

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        return [self._answer(block, "call", read.to, read.data) for read in asked]

    async def code(self, address: Address, block: Block) -> str:
        return self._answer(block, "code", address, "") or "0x"

    async def storage(self, address: Address, slot: int, block: Block) -> str:
        return self._answer(block, "slot", address, hex(slot)) or "0x"

    def _answer(self, block: Block, kind: str, to: str, data: str) -> str | None:
        try:
            return self.tape.calls[block.hash, kind, to, data]
        except KeyError as error:
            msg = (
                f"the recording does not know {kind} {to} {data[:10]} at block {block.number}: it was never asked there"
            )
            raise BlockUnknown(msg) from error


class Recording:
    """A chain that is looked at while it is used. Belongs into one range at a time."""

    def __init__(self, chain: Any, tape: Tape) -> None:  # noqa: ANN401 - whatever answers like a chain
        self._chain, self._tape = chain, tape

    async def head(self) -> Block:
        return self._kept(await self._chain.head())

    async def finalized(self) -> Block | None:
        return None

    async def block(self, at: int | str, /) -> Block | None:
        found: Block | None = await self._chain.block(at)
        return None if found is None else self._kept(found)

    async def logs(
        self, addresses: Collection[Address], first: int, last: int, topics: Topics | None = None
    ) -> list[Log]:
        found: list[Log] = await self._chain.logs(addresses, first, last, topics)
        return self._noted(found)

    async def logs_at(self, block: Hash, addresses: Collection[Address], /) -> list[Log]:
        found: list[Log] = await self._chain.logs_at(block, addresses)
        return self._noted(found)

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        found: list[str | None] = await self._chain.call_many(asked, block)
        for read, answer in zip(asked, found, strict=True):
            self._tape.calls[block.hash, "call", read.to, read.data] = answer
        return found

    async def code(self, address: Address, block: Block) -> str:
        found: str = await self._chain.code(address, block)
        self._tape.calls[block.hash, "code", address, ""] = found
        return found

    async def storage(self, address: Address, slot: int, block: Block) -> str:
        found: str = await self._chain.storage(address, slot, block)
        self._tape.calls[block.hash, "slot", address, hex(slot)] = found
        return found

    def _kept(self, block: Block) -> Block:
        self._tape.blocks[block.hash] = block
        return block

    def _noted(self, logs: list[Log]) -> list[Log]:
        for log in logs:
            self._tape.events[log.block_hash][log.index] = log
        return logs


def _matches(log: Log, topics: Topics) -> bool:
    """As a node filters: each place has its one topic, one of several, or any."""
    wanted = [(at, (one,) if isinstance(one, str) else one) for at, one in enumerate(topics) if one is not None]
    return all(at < len(log.topics) and log.topics[at] in some for at, some in wanted)


# rows ----------------------------------------------------------------------------------------------------------------


def _rows(tape: Tape) -> dict[str, list[Row]]:
    blocks = sorted(tape.blocks.values(), key=lambda block: (block.number, block.hash))
    events = [log for _, held in sorted(tape.events.items()) for _, log in sorted(held.items())]
    return {
        "blocks": [
            {"number": b.number, "hash": b.hash, "parent": b.parent, "timestamp": b.timestamp,
             "base_fee": str(b.base_fee), "gas_limit": b.gas_limit, "gas_used": b.gas_used} for b in blocks
        ],
        "events": [_event(log) for log in sorted(events, key=lambda log: (log.block, log.block_hash, log.index))],
        "calls": [
            {"block_hash": key[0], "kind": key[1], "to": key[2], "data": key[3], "answer": answer}
            for key, answer in sorted(tape.calls.items())
        ],
    }  # fmt: skip


def _event(log: Log) -> Row:
    topics = {f"topic{i}": log.topics[i] if i < len(log.topics) else None for i in range(4)}
    return {
        "block": log.block, "block_hash": log.block_hash, "tx": log.transaction_hash,
        "tx_index": int(log.transaction_index, 16), "log_index": log.index, "address": log.address,
        "data": log.data, **topics,
    }  # fmt: skip


def _log(row: Mapping[str, Any]) -> Log:
    topics = tuple(topic for i in range(4) if (topic := row[f"topic{i}"]) is not None)
    numbers = (hex(row["block"]), Hash(row["block_hash"]), Hash(row["tx"]), hex(row["tx_index"]), hex(row["log_index"]))
    return Log(Address(row["address"]), topics, row["data"], *numbers)


def _block(row: Mapping[str, Any]) -> Block:
    return Block(
        BlockNumber(row["number"]), Hash(row["hash"]), Hash(row["parent"]), Timestamp(row["timestamp"]),
        Wei(int(row["base_fee"])), row["gas_limit"], row["gas_used"],
    )  # fmt: skip


def _write(path: Path, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    kinds = {"int64": pa.int64(), "string": pa.string(), "double": pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    parquet().write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), path, compression="zstd")


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet().read_table(path).to_pylist()
    return found
