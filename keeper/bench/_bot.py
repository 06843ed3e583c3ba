"""A plain bot, as tutorials write it: web3 for everything, the chain asked about every account at every price.

Law: the libraries' own ways, nothing of the keeper's; a real Aave market on a local node, asked as many accounts in one
call as pay.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from eth_account import Account
from hexbytes import HexBytes
from web3 import Web3
from web3.datastructures import AttributeDict

from keeper.core.units import Address
from keeper.devnet.aggregator import deploy_aggregator
from keeper.devnet.build import make_world
from keeper.devnet.world import World

VERSION: Final = "3.0.2"
ASKED: Final = 250
ROUNDS: Final = 15
SEED: Final = 11
_FEED_ABI: Final = [
    {
        "type": "event",
        "name": "AnswerUpdated",
        "anonymous": False,
        "inputs": [
            {"name": "current", "type": "int256", "indexed": True},
            {"name": "roundId", "type": "uint256", "indexed": True},
            {"name": "updatedAt", "type": "uint256", "indexed": False},
        ],
    }
]


def bot_seconds() -> tuple[dict[str, float], int]:
    """Seconds of each step of the bot, and how many accounts it asked about."""
    with make_world(VERSION) as world:
        bot = Bot(world)
        steps: dict[str, Callable[[], object]] = {
            "parse": bot.parse,
            "ask": bot.ask,
            "encode": bot.encode,
            "sign": bot.sign,
            "send": bot.send,
        }
        seen: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                started = time.perf_counter()
                step()
                seen[name].append(time.perf_counter() - started)
        return {name: statistics.median(times) for name, times in seen.items()}, ASKED


class Bot:
    """The steps from a notification to a transaction."""

    def __init__(self, world: World) -> None:
        web3 = self._web3 = Web3(Web3.HTTPProvider(world.anvil.url))
        self._accounts = [one.account for one in world.borrowers(ASKED, SEED)]
        self._pool = _contract(web3, world.pool.address, world.pool.abi.items)
        aggregator = deploy_aggregator(world)
        self._aggregator = _contract(web3, aggregator.address, aggregator.abi.items)
        self._feed = web3.eth.contract(abi=_FEED_ABI)
        self._key = Account.create()
        self._asset = web3.to_checksum_address(world.asset("WETH"))
        world.fund(Address(self._key.address.lower()))
        self._text = json.dumps({"params": {"result": _log(world.pool.address)}})
        self._data, self._raw, self._nonce = "0x", b"", 0

    def parse(self) -> object:
        """Bytes to the price."""
        log = json.loads(self._text)["params"]["result"]
        hexed = {name: HexBytes(log[name]) for name in ("blockHash", "transactionHash", "data")}
        typed = AttributeDict({**log, **hexed, "topics": [HexBytes(topic) for topic in log["topics"]]})
        return self._feed.events.AnswerUpdated().process_log(typed)

    def ask(self) -> list[int]:
        """Who is below 1, by asking about everybody."""
        pool = self._pool
        calls = [
            (pool.address, True, pool.encode_abi("getUserAccountData", [self._web3.to_checksum_address(one)]))
            for one in self._accounts
        ]
        answers = self._aggregator.functions.aggregate3(calls).call()
        return [at for at, (_, data) in enumerate(answers) if int.from_bytes(data[-32:], "big") < 10**18]

    def encode(self) -> None:
        """Calldata by the contract's interface."""
        account = self._web3.to_checksum_address(self._accounts[0])
        self._data = self._pool.encode_abi("liquidationCall", [self._asset, self._asset, account, 10**18, False])

    def sign(self) -> None:
        """A signature by eth-account."""
        fields = {
            "to": self._key.address, "value": 0, "gas": 900_000, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 1,
            "nonce": self._nonce, "chainId": 31337, "data": self._data,
        }  # fmt: skip
        self._raw = self._key.sign_transaction(fields).raw_transaction

    def send(self) -> None:
        """To the node."""
        self._web3.eth.send_raw_transaction(self._raw)
        self._nonce += 1


def _contract(web3: Web3, address: str, abi: Any) -> Any:  # noqa: ANN401 - web3 has no types for these
    return web3.eth.contract(web3.to_checksum_address(address), abi=abi)


def _log(address: str) -> dict[str, Any]:
    topics = ["0x0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f", f"0x{10**8:064x}", f"0x{1:064x}"]
    return {
        "address": Web3.to_checksum_address(address), "topics": topics, "data": f"0x{1:064x}", "blockNumber": 1,
        "blockHash": f"0x{1:064x}", "transactionHash": f"0x{1:064x}", "transactionIndex": 0, "logIndex": 0,
    }  # fmt: skip
