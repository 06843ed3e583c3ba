"""Builds a world once, dumps it, and loads the dump in a fraction of a second ever after.

Law: a dump is named after all that it was built from (pins of packages, code that deploys them), so it is never stale.
Building twice gives the same addresses, because they hang on accounts and nonces only.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from keeper.core.units import MAX_U256
from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.cache import build_once, cache_dir
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.feeds import deploy_feed, flux
from keeper.devnet.kits import kit
from keeper.devnet.layout import ADMIN, LENDER, REPORTER, USD, Feed, Layout, Token, TokenSpec
from keeper.devnet.rpc import Rpc
from keeper.devnet.stage import ETHER
from keeper.devnet.tokens import EMODES, RISK, TOKENS, deploy_tokens, erc20
from keeper.devnet.uniswap import deploy_uniswap
from keeper.devnet.world import World

_INGREDIENTS: Final = (
    "aave.py",
    "aave_v302.py",
    "aave_v36.py",
    "build.py",
    "feeds.py",
    "layout.py",
    "packages.py",
    "tokens.py",
    "uniswap.py",
)
GENESIS: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
_LENT: Final = 40_000_000 * USD  # value of each reserve's first supply
_STOCK: Final = 1_000_000_000 * USD  # value of each token in the lender's hands
_LAYOUT: Final = "layout.json"
_STATE: Final = "state.json"
DEFAULT_VERSION: Final = "3.0.2"


def make_world(version: str = DEFAULT_VERSION, options: AnvilOptions | None = None) -> World:
    """A world of its own on a fresh node, to be stopped by the caller or held in a ``with``."""
    return load_world(prepare_world(version), options)


def prepare_world(version: str = DEFAULT_VERSION) -> Path:
    """The folder of a world in its first state; built when it is not there."""

    def build(scratch: Path) -> None:
        with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
            save_world(World(anvil, build_world(anvil.rpc, version)), scratch)

    return build_once(world_folder(version), build)


def world_folder(version: str) -> Path:
    """Where a world is kept, or will be."""
    return cache_dir() / "worlds" / f"{version}-{fingerprint()}"


def load_world(folder: Path, options: AnvilOptions | None = None) -> World:
    """A saved world on a fresh node."""
    layout = msgspec.json.decode((folder / _LAYOUT).read_bytes(), type=Layout)
    return World(Anvil(replace(options or AnvilOptions(), load_state=folder / _STATE)), layout)


def save_world(world: World, folder: Path) -> None:
    """Accounts, blocks, transactions and logs, for ``load_world``. Historical state is not in it."""
    state = bytes.fromhex(world.rpc.rpc("anvil_dumpState")[2:])
    (folder / _STATE).write_bytes(gzip.decompress(state))
    (folder / _LAYOUT).write_bytes(msgspec.json.encode(world.layout))


@cache
def fingerprint() -> str:
    """Of everything a world is built from."""
    digest = hashlib.sha256()
    for source in _INGREDIENTS:
        digest.update((Path(__file__).parent / source).read_bytes())
    return digest.hexdigest()[:16]


def build_world(rpc: Rpc, version: str) -> Layout:
    """Deploys everything on an empty chain."""
    aave_kit, deployer = kit(version), Deployer(rpc, ADMIN)
    specs = {spec.symbol: spec for spec in TOKENS if spec.decimals >= aave_kit.MIN_DECIMALS}
    tokens = deploy_tokens(deployer, list(specs.values()))
    feeds = {symbol: deploy_feed(deployer, f"{symbol} / USD") for symbol in specs}
    deployer.flush()
    _report_first_prices(rpc, feeds, specs)
    rpc.rpc("anvil_setBalance", tokens["WETH"].address, hex(10**9 * ETHER))  # minted WETH can be withdrawn too
    aave = aave_kit.deploy_aave(deployer, tokens, feeds)
    aave_kit.init_reserves(deployer, aave, tokens, RISK)
    deployer.flush()
    pool = deployer.at(aave.pool, aave_kit.contract_artifact("Pool").abi)
    for emode in EMODES:
        aave_kit.add_emode(deployer, aave, emode, tokens)
    deployer.flush()
    _lend(rpc, pool, tokens, specs)
    return Layout(
        version=version,
        chain_id=int(rpc.rpc("eth_chainId"), 16),
        tokens=tokens,
        feeds=feeds,
        aave=aave,
        reserves={symbol: aave_kit.read_reserve(pool, token) for symbol, token in tokens.items()},
        uniswap=deploy_uniswap(deployer, tokens, {symbol: spec.price for symbol, spec in specs.items()}),
    )


def _report_first_prices(rpc: Rpc, feeds: Mapping[str, Feed], specs: Mapping[str, TokenSpec]) -> None:
    first_round = 1
    reporter = Deployer(rpc, REPORTER)
    for symbol, feed in feeds.items():
        reporter.call(Contract(rpc, feed.aggregator, flux().abi), "submit", first_round, specs[symbol].price)
    reporter.flush()


def _lend(rpc: Rpc, pool: Contract, tokens: Mapping[str, Token], specs: Mapping[str, TokenSpec]) -> None:
    lender = Deployer(rpc, LENDER)
    no_referral = 0
    for symbol, token in tokens.items():
        contract = Contract(rpc, token.address, erc20())
        stock, lent = (value * token.unit // specs[symbol].price for value in (_STOCK, _LENT))
        lender.call(contract, "mint(address,uint256)", LENDER, stock)
        lender.call(contract, "approve", pool.address, MAX_U256)
        lender.call(pool, "supply", token.address, lent, LENDER, no_referral)
    lender.flush()
