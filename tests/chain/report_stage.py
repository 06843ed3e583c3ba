"""A world with borrowers and an operator's configuration of it: what report commands run on."""

from pathlib import Path

from keeper.demo.stage import KINDS, factories
from keeper.devnet.world import World


def configure(folder: Path, world: World, extra: str = "") -> Path:
    """A configuration with venues, and a state file of its own."""
    file = folder / "keeper.toml"
    venues = "\n".join(
        f'[[venues]]\nkind = "{KINDS[one.kind]}"\naddress = "{one.deployer}"' for one in factories(world)
    )
    file.write_text(
        f"""
[chain]
id = 31337
rpc = ["{world.anvil.url}"]
wrapped_native = "{world.asset("WETH")}"
[[markets]]
protocol = "aave_v3"
address = "{world.layout.aave.provider}"
from_block = 0
{venues}
[store]
path = "{folder / "state.sqlite"}"
{extra}
""",
        encoding="utf-8",
    )
    return file
