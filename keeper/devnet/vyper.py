"""Our own contracts of the local world, compiled by Vyper, once.

Law: the output is kept under a name made of the source and the compiler's version.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

import vyper
from vyper.compiler import compile_code

from keeper.devnet.cache import build_once, cache_dir
from keeper.devnet.contract import Artifact, parse_artifact


@cache
def vyper_artifact(source: Path) -> Artifact:
    """A Vyper file, compiled."""
    code = source.read_text()
    key = hashlib.sha256(f"{vyper.__version__}\0{code}".encode()).hexdigest()[:16]

    def build(scratch: Path) -> None:
        output = compile_code(code, output_formats=["abi", "bytecode"])
        (scratch / "artifact.json").write_text(json.dumps({"abi": output["abi"], "bytecode": output["bytecode"]}))

    folder = build_once(cache_dir() / "compiled" / f"{source.stem}-{key}", build)
    return parse_artifact(source.stem, (folder / "artifact.json").read_bytes())
