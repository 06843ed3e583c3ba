"""Runs keeper as a script or a person would: the real console script, or its ``main`` in this process."""

import contextlib
import contextvars
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from keeper.cli import main
from keeper.devnet.world import World

SCRIPT = Path(sys.executable).with_name("keeper")
Done = subprocess.CompletedProcess[str]


def script(*words: str, cwd: Path | None = None, **environ: str) -> Done:
    """One run of the installed script, with nothing of keeper in the environment but what is given."""
    full = [str(SCRIPT), *words]
    return subprocess.run(
        full, cwd=cwd, env=_environment(environ), capture_output=True, text=True, timeout=120, check=False
    )


def keeper(*words: str, **environ: str) -> Done:
    """The same in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, _environment(environ), clear=True),
        _as_it_was(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = contextvars.copy_context().run(main, words)
        except SystemExit as left:
            code = int(left.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def _environment(more: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")} | more


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """What a run sets for its whole process is put back."""
    hook, handlers, level, chain = sys.excepthook, logging.root.handlers[:], logging.root.level, structlog.get_config()
    try:
        yield
    finally:
        sys.excepthook, logging.root.handlers[:] = hook, handlers
        logging.root.setLevel(level)
        structlog.configure(**chain)


def records(done: Done) -> list[dict[str, Any]]:
    """The objects on stdout, which must hold nothing else."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(done: Done) -> list[str]:
    """What a person reads on stderr, without log lines."""
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


def configured(folder: Path, world: World, *, address: str = "") -> Path:
    """A configuration for the world, with its own state file."""
    file = folder / "keeper.toml"
    lines = (
        "[chain]",
        "id = 31337",
        f'rpc = ["{world.anvil.url}"]',
        "[[markets]]",
        'protocol = "aave_v3"',
        f'address = "{address or world.layout.aave.provider}"',
        "from_block = 0",
        "[store]",
        f'path = "{folder / "state.sqlite"}"',
    )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
