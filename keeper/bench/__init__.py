"""BENCH. Benchmarks as ratios within one run: one module a benchmark, whose ``run`` returns the figures.

Law: each benchmark runs in a process of its own, so that memory, caches and compiled code are what they look like.
"""

import asyncio
import inspect
import pkgutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from keeper.commands.tables import say, show
from keeper.errors import ConfigError, Exit
from keeper.output import emit

CHILD = "import sys; from keeper.bench import measure; measure(*sys.argv[1:])"


def names() -> list[str]:
    """The benchmarks there are."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in found if hasattr(import_module(f"{__name__}.{name}"), "run")]


async def bench(args: Namespace) -> int:
    """Run one benchmark or all, and tell the figures as they come."""
    known = names()
    if args.name not in (None, *known):
        raise ConfigError(f"there is no benchmark {args.name}; known: {', '.join(known)}")
    done = Exit.DONE
    for name in known if args.name is None else [args.name]:
        figures = await _apart(name, args.accounts)
        if figures is None:
            sys.stderr.write(f"keeper: {name} ended without figures; why is said above\n")
            done = Exit.NO
        elif args.json:
            emit({"benchmark": name} | figures)
        else:
            show(name, (("figure", "left"), ("", "right")), [(key, f"{value}") for key, value in figures.items()])
        sys.stdout.flush()
    return done


async def _apart(name: str, accounts: int | None) -> dict[str, Any] | None:
    """Figures from a fresh process; ``None`` when it failed, and has said why on stderr."""
    words = [name] if accounts is None else [name, str(accounts)]
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *words, stdout=asyncio.subprocess.PIPE)
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    return dict(msgspec.json.decode(said.splitlines()[-1])) if child.returncode == 0 else None


def measure(name: str, accounts: str | None = None) -> None:
    """What the fresh process does. A benchmark takes at most as many accounts as its ``MOST_ACCOUNTS`` says."""
    module = import_module(f"{__name__}.{name}")
    options: dict[str, int] = {}
    if accounts is not None and "accounts" in inspect.signature(module.run).parameters:
        options["accounts"] = min(int(accounts), getattr(module, "MOST_ACCOUNTS", int(accounts)))
    figures: Mapping[str, Any] = module.run(**options)
    say(msgspec.json.encode(figures).decode())
