"""``python -m keeper.bench._gallery docs/img``: the pictures of the risk desk, drawn on a local world.

Law: the pictures are drawn by the commands themselves, on real protocols, from a seed.
"""

import asyncio
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from sys import argv
from typing import Any, Final

from keeper.commands import report, report_flags
from keeper.core.units import WAD, Address
from keeper.demo.stage import KINDS, factories
from keeper.devnet.build import make_world
from keeper.devnet.layout import LENDER
from keeper.devnet.world import World
from keeper.settings import Settings

CROWD, SEED = 150, 11
WHALES: Final = ((2_500, 0.81), (3_500, 0.78), (3_500, 0.74), (3_500, 0.68))  # ETH, and what is owed of its value
HOLDER: Final = Address("0x" + "e0" * 20)
BOOK: Final = """
spot = 2000.0
equity = 6000.0
maintenance = 1000.0
[[legs]]
kind = "call"
size = -10.0
strike = 2200.0
days = 30.0
[[legs]]
kind = "put"
size = -5.0
strike = 1700.0
days = 30.0
"""
PICTURES: Final = {
    "ladder": ("ladder", "--steps", "100", "--depth", "60%"),
    "cascade": ("cascade", "--shock", "WETH=-5%", "--shock", "WSTETH=-5%"),
    "stress": ("stress", "--days", "7", "--depeg", "USDC=-5%"),
    "eta": ("eta",),
    "exposure": ("exposure",),
    "costs": ("costs", "--sell", "WETH", "--into", "USDC"),
    "toxicity": ("toxicity", "--below", "1.5"),
    "capacity": ("capacity", "--shock", "ALL=-40%", "--block-gas", "6000000", "--rivals", "10%"),
    "hedge": ("hedge", "--risk-limit", "30"),
    "greeks": ("greeks",),
    "what-if": ("greeks", "--book"),
    "exploits": ("exploits",),
}


def draw(folder: Path) -> None:
    """All of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="keeper-") as name, make_world() as world:
        settings = _settings(world, Path(name))
        (Path(name) / "book.toml").write_text(BOOK, encoding="utf-8")
        for picture, words in PICTURES.items():
            more = (str(Path(name) / "book.toml"),) if picture == "what-if" else ()
            parser = ArgumentParser()
            report_flags.add(parser)
            args = parser.parse_args([*words, *more, "--plot", str(folder / f"risk-{picture}.svg")])
            asyncio.run(report.report(settings, args))


def _settings(world: World, folder: Path) -> Settings:
    """A crowd, a few whales, somebody with inventory, and an operator's view of them."""
    world.borrowers(CROWD, SEED)
    for number, (eth, share) in enumerate(WHALES):
        _whale(world, number, eth, share)
    world.fund(HOLDER)
    world.mint_token("WETH", HOLDER, world.units("WETH", 4.389))
    world.mint_token("WBTC", HOLDER, world.units("WBTC", 0.05))
    world.mint_token("LINK", HOLDER, world.units("LINK", 12))
    values: dict[str, Any] = {
        "chain": {"id": world.anvil.options.chain_id, "rpc": [world.anvil.url], "wrapped_native": world.asset("WETH")},
        "markets": [{"protocol": "aave_v3", "address": world.layout.aave.provider, "from_block": 0}],
        "venues": [{"kind": KINDS[one.kind], "address": one.deployer} for one in factories(world)],
        "executor": {"address": HOLDER},
        "store": {"path": folder / "keeper.sqlite"},
    }
    return Settings(**values)


def _whale(world: World, number: int, eth: int, share: float) -> None:
    account = Address(f"0x{0xABBA << 8 | number:040x}")
    world.fund(account)
    owed = world.units("USDC", eth * 2_000 * share)
    world.supply(LENDER, "USDC", 2 * owed)
    world.supply(account, "WETH", world.units("WETH", eth))
    world.borrow(account, "USDC", min(owed, world.units("USDC", eth * 2_000 * 0.799)))
    if share > 0.8:  # noqa: PLR2004 - more than may be borrowed: what was supplied is taken out again
        left = owed * 10**12 * WAD // (2_000 * int(share * WAD))
        world.withdraw(account, "WETH", world.units("WETH", eth) - left * 999 // 1_000)


if __name__ == "__main__":
    draw(Path(argv[1]))
