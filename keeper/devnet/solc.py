"""Compiles packages that ship sources only, with solc-js run by node, once.

Law: the output is kept under a name made of the compiler, the packages, the entries and the settings; solc gets every
source in its standard input and reads nothing from disk.
"""

import hashlib
import json
import posixpath
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from keeper.devnet.cache import build_once, cache_dir
from keeper.devnet.contract import Artifact, parse_artifact
from keeper.devnet.packages import Package, package_dir
from keeper.errors import DevnetError

_TIMEOUT: Final = 600.0
_IMPORT: Final = re.compile(r"""^\s*import\b[^'";]*['"]([^'"]+)['"]""", re.MULTILINE)
_DRIVER: Final = """
const compiler = require(process.argv[1]);
const compile = compiler.cwrap('solidity_compile', 'string', ['string', 'number', 'number']);
process.stdout.write(compile(require('fs').readFileSync(0, 'utf8'), 0, 0));
"""


@dataclass(frozen=True, slots=True)
class Project:
    """What to compile and how. ``roots`` says where an import path begins: prefix → package and folder in it."""

    name: str
    compiler: Package
    roots: tuple[tuple[str, Package, str], ...]
    entries: tuple[str, ...]
    runs: int
    evm_version: str | None = None

    @property
    def key(self) -> str:
        """Changes with anything that changes the output."""
        parts = [self.compiler.integrity, str(self.runs), str(self.evm_version), *self.entries]
        parts += [f"{prefix}={package.integrity}:{folder}" for prefix, package, folder in self.roots]
        return f"{self.name}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"

    def read(self, path: str) -> str:
        """A source by its import path."""
        for prefix, package, folder in self.roots:
            if path.startswith(prefix):
                return (package_dir(package) / folder / path.removeprefix(prefix)).read_text()
        raise DevnetError(f"{self.name} imports {path}, which no package of the project holds")


@cache
def compiled(project: Project, contract: str) -> Artifact:
    """A contract of the project; compiles it all on first use."""
    folder = prepare_project(project)
    return parse_artifact(contract, (folder / f"{contract}.json").read_bytes())


def prepare_project(project: Project) -> Path:
    """The folder with the project's artifacts; compiled when it is not there."""
    return build_once(cache_dir() / "compiled" / project.key, lambda scratch: _compile(project, scratch))


def _compile(project: Project, target: Path) -> None:
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in _sources(project)},
        "settings": {
            "optimizer": {"enabled": True, "runs": project.runs},
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.bytecode.linkReferences"]}},
            "metadata": {"bytecodeHash": "none"},
        }
        | ({"evmVersion": project.evm_version} if project.evm_version else {}),
    }
    answer = _run(project, json.dumps(request))
    errors = [one["formattedMessage"] for one in answer.get("errors", ()) if one["severity"] == "error"]
    if errors:
        raise DevnetError(f"{project.name} does not compile with {project.compiler.spec}: {errors[0]}")
    for contracts in answer["contracts"].values():
        for name, output in contracts.items():
            (target / f"{name}.json").write_text(json.dumps(output))


def _run(project: Project, request: str) -> dict[str, Any]:
    command = ["node", "-e", _DRIVER, str(package_dir(project.compiler) / "soljson.js")]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise DevnetError(f"node is needed to compile {project.name} and is not on PATH; install Node.js 20") from error
    except subprocess.TimeoutExpired as error:
        raise DevnetError(f"{project.compiler.spec} took more than {_TIMEOUT:.0f} s over {project.name}") from error
    if done.returncode != 0:
        raise DevnetError(f"{project.compiler.spec} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _sources(project: Project) -> Iterator[tuple[str, str]]:
    """The entries and all they import, each once."""
    todo, seen = list(project.entries), set(project.entries)
    while todo:
        path = todo.pop()
        text = project.read(path)
        yield path, text
        for imported in _IMPORT.findall(text):
            found = _resolve(path, imported)
            if found not in seen:
                seen.add(found)
                todo.append(found)


def _resolve(importer: str, imported: str) -> str:
    if not imported.startswith("."):
        return imported
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), imported))
