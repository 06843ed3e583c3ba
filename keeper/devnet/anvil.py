"""An anvil process: started on a free loopback port, ready when it says so, ended with whoever started it.

Law: one ``Anvil`` is one child process, known by its pid. It ends at ``stop``, at the end of a ``with``, at exit of the
interpreter, and (on Linux) with the thread that started it even when that dies of ``kill -9``.
"""

import atexit
import contextlib
import ctypes
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from keeper.devnet.binary import anvil_binary
from keeper.devnet.rpc import Rpc
from keeper.errors import DevnetError

_READY_WITHIN: Final = 30.0
_STOP_WITHIN: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1
_LISTENING: Final = "Listening on "
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class AnvilOptions:
    """How a node behaves. ``None`` leaves it to anvil."""

    chain_id: int = 31337
    accounts: int = 10
    block_time: int | None = None  # seconds between blocks; without it a block for every transaction
    no_mining: bool = False  # blocks only on evm_mine
    mixed_mining: bool = False  # with block_time: also a block for every transaction
    order: str | None = None  # "fees" (by maxFeePerGas) or "fifo"
    timestamp: int | None = None  # of the genesis block
    interval: int | None = 12  # seconds from one block's timestamp to the next; None: the wall clock's
    hardfork: str | None = None
    gas_limit: int = 60_000_000
    base_fee: int | None = None
    tx_gas_limit: bool = False  # the 16.7M cap of mainnet
    prune_history: int = 64  # states kept in memory; anvil writes files without end when this is not given
    load_state: Path | None = None
    fork_url: str | None = None
    fork_block: int | None = None
    port: int = 0  # 0: any free one

    def arguments(self) -> list[str]:
        """Command line of the node."""
        valued = {
            "--chain-id": None if self.fork_url else self.chain_id,
            "--accounts": self.accounts,
            "--block-time": self.block_time,
            "--order": self.order,
            "--timestamp": None if self.fork_url or self.load_state else self.timestamp,
            "--hardfork": self.hardfork,
            "--gas-limit": self.gas_limit,
            "--block-base-fee-per-gas": self.base_fee,
            "--prune-history": self.prune_history,
            "--load-state": self.load_state,
            "--fork-url": self.fork_url,
            "--fork-block-number": self.fork_block,
            "--port": self.port,
        }
        flags = {
            "--no-mining": self.no_mining,
            "--mixed-mining": self.mixed_mining,
            "--enable-tx-gas-limit": self.tx_gas_limit,
            "--no-storage-caching": self.fork_url is not None,
            "--no-request-size-limit": True,
            "--auto-impersonate": True,
        }
        given = [word for name, value in valued.items() if value is not None for word in (name, str(value))]
        return ["--host", "127.0.0.1", *given, *(name for name, on in flags.items() if on)]


class Anvil:
    """A running node. ``rpc`` controls it, ``url`` and ``ws`` are for everybody else."""

    def __init__(self, options: AnvilOptions | None = None) -> None:
        self.options = options or AnvilOptions()
        self._folder = tempfile.TemporaryDirectory(prefix="keeper-anvil-", ignore_cleanup_errors=True)
        self.log = Path(self._folder.name) / "anvil.log"
        self._process = self._spawn()
        atexit.register(self.stop)
        try:
            self.port = self._wait_until_ready()
            self.url = f"http://127.0.0.1:{self.port}"
            self.ws = f"ws://127.0.0.1:{self.port}"
            self.rpc = Rpc(self.url)
            self._settle_in()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the process: politely, then for certain. May be called twice."""
        atexit.unregister(self.stop)
        if hasattr(self, "rpc"):
            self.rpc.close()
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [str(anvil_binary()), *self.options.arguments()]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no allocation, no lock
            )

    def _wait_until_ready(self) -> int:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline and self.running:
            _, found, rest = self.log.read_text(errors="replace").rpartition(_LISTENING)
            if found and "\n" in rest:
                return int(rest.split()[0].rpartition(":")[2])
            time.sleep(0.005)
        state = "is not ready" if self.running else f"ended with {self._process.returncode}"
        said = self.log.read_text(errors="replace").strip()[-400:]
        raise DevnetError(f"anvil {state} after {' '.join(self.options.arguments())}: {said}")

    def _settle_in(self) -> None:
        self.rpc.rpc("anvil_setLoggingEnabled", False)  # else the log grows with every request
        latest = self.rpc.rpc("eth_getBlockByNumber", "latest", False)
        self.rpc.rpc("evm_setTime", int(latest["timestamp"], 16))  # else a loaded world wakes up months later
        if self.options.interval is not None:
            self.rpc.rpc("anvil_setBlockTimestampInterval", self.options.interval)


def _die_with_parent() -> None:
    if _libc is not None:
        with contextlib.suppress(AttributeError):
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
