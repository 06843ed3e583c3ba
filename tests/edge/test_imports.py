"""Whoever installs keeper alone can import all of it."""

import subprocess
import sys

EXTRAS = ("matplotlib", "pyarrow", "pytest", "hypothesis", "hatchling")
CODE = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({EXTRAS}))  # none of these can be imported now
import keeper
for found in pkgutil.walk_packages(keeper.__path__, "keeper."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def test_no_module_leans_on_an_extra_or_on_a_development_tool() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
