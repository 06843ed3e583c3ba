"""What must hold of the installed package, wherever it is installed. CI runs this against the built wheel."""

import importlib
import os
import pkgutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution, requires
from importlib.resources import files
from pathlib import Path

import pytest

import keeper
from keeper.log_events import schema

pytestmark = pytest.mark.smoke
SCRIPT = Path(sys.executable).with_name("keeper")


def modules() -> list[str]:
    return [
        module.name for module in pkgutil.walk_packages(keeper.__path__, "keeper.") if "__main__" not in module.name
    ]


def test_what_is_tested_is_what_was_installed() -> None:
    where = Path(keeper.__file__).resolve()
    if os.environ.get("SMOKE_OF_WHEEL"):
        assert where.is_relative_to(Path(sysconfig.get_path("purelib")).resolve())
        assert not (where.parents[1] / "pyproject.toml").exists()
    assert distribution("keeper").version == keeper.__version__


@pytest.mark.parametrize("name", modules())
def test_every_module_can_be_imported(name: str) -> None:
    importlib.import_module(name)


def test_data_files_are_there() -> None:
    assert files("keeper").joinpath("py.typed").is_file()
    assert "daemon.started" in schema()


def test_what_is_needed_is_declared() -> None:
    assert any(need.startswith("web3") for need in requires("keeper") or [])


def test_the_console_script_runs_anywhere(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")}
    for words, code in {("--version",): 0, ("accounts",): 2, ("no-such-command",): 2}.items():
        done = subprocess.run(
            [SCRIPT, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code
        assert "Traceback" not in done.stderr
