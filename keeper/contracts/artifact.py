"""The executor as it is deployed: creation code, runtime code and ABI, with the compiler that made them.

Law: ``executor.json`` is what ``executor.vy`` compiles to, and a test compiles it again to prove it. Nothing is
compiled when the keeper runs. After a change of the source: ``python -m keeper.contracts.artifact``.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from keeper.contracts.encode import MAX_FACTORIES, Factory
from keeper.contracts.words import WORD
from keeper.core.units import Address

SOURCE: Final = "executor.vy"
TRACKED: Final = "executor.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What the compiler made of the source."""

    abi: Sequence[dict[str, Any]]
    bytecode: bytes  # to which the constructor's arguments are appended
    runtime: bytes  # to which the constructor appends its immutables


def compile_source(source: str) -> dict[str, Any]:
    """The tracked file for this source."""
    import vyper  # noqa: PLC0415 - only who compiles pays for loading a compiler

    formats = ["abi", "bytecode", "bytecode_runtime"]
    output = vyper.compile_code(source, contract_path=SOURCE, output_formats=formats)
    return {
        "compiler": f"vyper {vyper.__version__}",
        "settings": {"evm_version": "cancun", "optimize": "gas"},  # as the source's pragmas say
        "source": SOURCE,
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "abi": output["abi"],
        "bytecode": output["bytecode"],
        "bytecode_runtime": output["bytecode_runtime"],
    }


def source_text() -> str:
    """The source that was compiled."""
    return (files(__package__) / SOURCE).read_text()


def tracked() -> dict[str, Any]:
    """The tracked file."""
    found: dict[str, Any] = json.loads((files(__package__) / TRACKED).read_text())
    return found


@cache
def artifact() -> Artifact:
    """The tracked artifact."""
    found = tracked()
    return Artifact(found["abi"], *(bytes.fromhex(found[name][2:]) for name in ("bytecode", "bytecode_runtime")))


def creation_code(owner: Address, treasury: Address, weth: Address, factories: Sequence[Factory]) -> bytes:
    """What creates an executor with these constructor arguments."""
    return artifact().bytecode + _words(owner) + immutables(treasury, weth, factories)


def runtime_code(treasury: Address, weth: Address, factories: Sequence[Factory]) -> bytes:
    """The code of an executor that was created with these arguments."""
    return artifact().runtime + _words(weth, treasury) + _table(factories)


def immutables(treasury: Address, weth: Address, factories: Sequence[Factory]) -> bytes:
    """The constructor's arguments that end up in the code."""
    return _words(treasury, weth) + _table(factories)


def _table(factories: Sequence[Factory]) -> bytes:
    if len(factories) > MAX_FACTORIES:
        raise ValueError(f"{len(factories)} factories; the executor knows {MAX_FACTORIES}")
    known = b"".join(_words(factory.deployer) + factory.init_hash for factory in factories)
    return known + bytes(2 * WORD * (MAX_FACTORIES - len(factories)))


def _words(*addresses: Address) -> bytes:
    return b"".join(int(address, 16).to_bytes(WORD, "big") for address in addresses)


def main() -> None:
    """Compile the source and write the tracked file."""
    text = json.dumps(compile_source(source_text()), indent=1) + "\n"
    (Path(__file__).parent / TRACKED).write_text(text)


if __name__ == "__main__":
    main()
