"""No protocol is known outside its folder but by the registry; what is shown of it and measured on it may name it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import keeper
from keeper.core.actions import Style
from keeper.registry import PROTOCOLS

PACKAGE = Path(keeper.__file__).parent
SHOWN = ("bench", "demo", "devnet", "dryrun")  # worlds made of real protocols have to name them


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


def outside(path: Path, protocol: str) -> bool:
    """Not the registry, not the protocol's own folder."""
    return path != Path("registry.py") and not path.is_relative_to(Path("protocols") / protocol)


def compared(tree: ast.AST) -> Iterator[str]:
    """Every string that something is compared with, looked up in or matched against."""
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        for part in parts:
            for leaf in ast.walk(part):
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield leaf.value


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_nobody_asks_which_protocol_it_is() -> None:
    found = [
        (str(path), word)
        for path, tree in modules()
        for word in compared(tree)
        if word in PROTOCOLS and outside(path, word)
    ]
    assert found == []
    assert "aave_v3" in set(compared(ast.parse("if x.name == 'aave_v3': pass")))
    assert "aave_v3" in set(compared(ast.parse("match x:\n  case 'aave_v3': pass")))
    assert "aave_v3" in set(compared(ast.parse("y = 1 if x in ('aave_v3', 'b') else 2")))


def test_a_protocol_is_imported_by_the_registry_alone() -> None:
    found = [
        (str(path), module)
        for path, tree in modules()
        for module in imported(tree)
        for protocol in PROTOCOLS
        if module.startswith(f"keeper.protocols.{protocol}") and outside(path, protocol)
    ]
    strange = [each for each in found if each[0].split("/")[0] not in SHOWN]
    assert {path for path, _ in strange} <= {"reports/waterfall.py"}  # an example of Aave's arithmetic


def test_every_protocol_has_a_folder_a_line_and_tests() -> None:
    folders = {path.name for path in (PACKAGE / "protocols").iterdir() if (path / "adapter.py").exists()}
    assert folders == set(PROTOCOLS)
    tests = Path(__file__).parent.parent
    about = {path: path.read_text() for path in tests.rglob("test_*.py")}
    for protocol in PROTOCOLS:
        assert any(f"keeper.protocols.{protocol}" in text for text in about.values()), protocol


def test_the_recipe_was_followed_literally() -> None:
    """Every page that the README's recipe names is there, of the protocol that it says was added so."""
    text = (PACKAGE.parent / "README.md").read_text()
    recipe = text.partition("### Add a protocol\n")[2].partition("\n### ")[0]
    (example,) = re.findall(r"`(\w+)` was added by these steps", recipe)
    assert example in PROTOCOLS
    pages = re.findall(r"`(\w+\.py)`", recipe)
    assert len(pages) > 10
    assert [page for page in pages if not (PACKAGE / "protocols" / example / page).exists()] == []
    elsewhere = re.findall(r"`((?:keeper|tests)/[\w/]+\.\w+)`", recipe)
    assert [path for path in elsewhere if not (PACKAGE.parent / path).exists()] == []
    styles = re.findall(r"^ *\| `([A-Z]+)` \|", recipe, re.MULTILINE)
    assert styles == [style.name for style in Style]
