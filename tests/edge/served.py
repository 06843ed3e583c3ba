"""The chain of ``make chain``, as a process of its own on a free port."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config" / "demo.toml"


@contextlib.contextmanager
def served(*words: str) -> Iterator[str]:
    """Its URL, for as long as it is wanted."""
    command = [sys.executable, "-m", "keeper.demo.serve", "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        yield next(word.rstrip(",") for word in said.split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def flags(url: str, folder: Path) -> list[str]:
    """What points a configuration at it, with a state file of its own."""
    socket = url.replace("http", "ws", 1)
    return ["--chain.rpc", url, "--chain.ws", socket, "--store.path", str(folder / "state.sqlite")]
