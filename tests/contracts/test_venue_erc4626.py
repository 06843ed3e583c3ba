"""Vaults against OpenZeppelin's: what shares are worth before and after somebody redeems."""

from dataclasses import dataclass
from hashlib import sha256
from random import Random

import pytest

from keeper.core.events import Read
from keeper.core.units import MAX_U256, RAY
from keeper.core.venues import sorted_pair
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import LENDER
from keeper.devnet.packages import OPENZEPPELIN, SOLC_0837
from keeper.devnet.solc import Project, compiled
from keeper.devnet.world import World
from keeper.venues.book import VenueBook
from keeper.venues.erc4626.pool import Vault
from keeper.venues.erc4626.venue import Erc4626
from keeper.venues.route import Routing, best_purchase, best_sale
from keeper.venues.uniswap_v3.venue import UniswapV3
from tests.contracts.venue_world import ask, calls

pytestmark = pytest.mark.slow  # needs a compiler

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;
import "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
contract TestVault is ERC4626 {
    uint8 immutable kind;
    uint8 immutable offset;
    uint256 constant RATE = 1_123_456_789_012_345_678_901_234_567;
    constructor(IERC20 asset_, uint8 kind_, uint8 offset_) ERC4626(asset_) ERC20("V", "V") {
        kind = kind_;
        offset = offset_;
    }
    function _decimalsOffset() internal view override returns (uint8) { return offset; }
    function _convertToAssets(uint256 shares, Math.Rounding rounding) internal view override returns (uint256) {
        if (kind == 0) return super._convertToAssets(shares, rounding);
        if (kind == 1) return totalSupply() == 0 ? shares : shares * totalAssets() / totalSupply();
        if (kind == 2) return shares * RATE / 1e27;
        return shares * shares / 1e18;
    }
}
"""
STANDARD, PLAIN, RATED, ODD = range(4)


@dataclass(frozen=True, slots=True)
class OwnProject(Project):
    """One source of our own, on packages."""

    def read(self, path: str) -> str:
        return SOURCE if path == "TestVault.sol" else Project.read(self, path)


PROJECT = OwnProject(
    f"vault-{sha256(SOURCE.encode()).hexdigest()[:8]}",
    SOLC_0837,
    (("@openzeppelin/contracts/", OPENZEPPELIN, ""),),
    ("TestVault.sol",),
    200,
)


def vault_of(world: World, symbol: str, kind: int, offset: int) -> Contract:
    """A vault with an odd price: somebody deposited, somebody donated."""
    deployer = Deployer(world.rpc, LENDER)
    vault = deployer.create(compiled(PROJECT, "TestVault"), world.asset(symbol), kind, offset)
    deployer.flush()
    token, unit = world.token(symbol), world.units(symbol, 1)
    world.mint_token(symbol, LENDER, 10**9 * unit)
    token.send("approve", vault.address, MAX_U256, sender=LENDER)
    vault.send("deposit", 123_457 * unit + 89, LENDER, sender=LENDER)
    token.send("transfer", vault.address, 7_891 * unit + 3, sender=LENDER)
    return vault


def load(world: World, vault: Contract, symbol: str) -> object:
    (key,) = ask(world.rpc, Erc4626(vault.address).find([sorted_pair(vault.address, world.asset(symbol))]))
    return ask(world.rpc, Erc4626(vault.address).load(key))


@pytest.mark.parametrize(("kind", "offset"), [(STANDARD, 0), (STANDARD, 6), (PLAIN, 0), (RATED, 0)])
@pytest.mark.parametrize("symbol", ["USDC", "DAI"])
def test_quotes_are_what_the_vault_previews_and_pays(
    world: World, seed: int, kind: int, offset: int, symbol: str
) -> None:
    rng, asset = Random(seed), world.asset(symbol)
    vault = vault_of(world, symbol, kind, offset)
    pool = load(world, vault, symbol)
    for _ in range(3):
        assert isinstance(pool, Vault)
        assert pool.fixed == (kind == RATED)
        supply = vault.call("totalSupply")
        amounts = [rng.randint(1, supply) for _ in range(50)] + [int(2 ** rng.uniform(0, 60)) for _ in range(150)]
        reads = [Read(vault.address, vault.fn("previewRedeem", amount)) for amount in amounts]
        for amount, answer in zip(amounts, calls(world.rpc, reads), strict=True):
            quote = pool.quote_exact_in(vault.address, amount)
            assert (quote.amount_out if quote else 0) == (int(answer or "0x0", 16) if amount <= supply else 0)
        wanted = rng.randint(1, vault.call("totalAssets") // 3)
        bought = pool.quote_exact_out(asset, wanted)
        assert bought is not None
        assert (
            vault.call("previewRedeem", bought.amount_in) >= wanted > vault.call("previewRedeem", bought.amount_in - 1)
        )
        sold = rng.randint(1, supply // 3)
        quote = pool.quote_exact_in(vault.address, sold)
        had = world.balance(symbol, LENDER)
        vault.send("redeem", sold, LENDER, LENDER, sender=LENDER)
        assert quote is not None
        assert world.balance(symbol, LENDER) - had == quote.amount_out
        assert quote.after.quote_exact_in(asset, 1) is None
        assert quote.after.quote_exact_in(vault.address, supply - sold + 1) is None
        pool = load(world, vault, symbol)
        assert pool == quote.after


def test_a_vault_that_speaks_another_language_is_no_venue(world: World) -> None:
    vault = vault_of(world, "DAI", ODD, 0)
    assert load(world, vault, "DAI") is None
    book = VenueBook([Erc4626(vault.address)], [vault.address, world.asset("DAI")])
    ask(world.rpc, book.open(world.block_number()))
    assert book.liquidity.pools == {}
    assert [one.subject for one in book.quarantined()] == [vault.address]


def test_shares_are_unwrapped_and_sold_in_one_route(world: World) -> None:
    vault = vault_of(world, "DAI", STANDARD, 0)
    shares, dai, weth = vault.address, world.asset("DAI"), world.asset("WETH")
    book = VenueBook([Erc4626(shares), UniswapV3(world.layout.uniswap.v3_factory)], [shares, dai, weth])
    ask(world.rpc, book.open(world.block_number()))
    routing = Routing((dai,), max_hops=2)
    route = best_sale(book.liquidity, shares, weth, 10**22, routing)
    assert route is not None
    (leg,) = route.legs()
    assert [hop.pool for hop in leg.hops] == [shares, world.layout.uniswap.pools["WETH/DAI/3000"]]
    assets = vault.call("previewRedeem", 10**22)
    quoted, *_ = world.quoter.call("quoteExactInputSingle", (dai, weth, assets, 3_000, 0))
    assert route.amount_out == quoted
    back = best_purchase(book.liquidity, shares, weth, quoted, routing)
    assert back is not None
    assert 10**22 - 10**22 // quoted - 2 <= back.amount_in <= 10**22  # but for what one wei of WETH is worth
    world.token("DAI").send("transfer", shares, RAY, sender=LENDER)  # income, without an event of the vault
    book.apply([], world.block_number())
    ask(world.rpc, book.refresh())
    richer = book.liquidity.pools[shares].quote_exact_in(shares, 10**22)
    assert richer is not None
    assert assets < richer.amount_out == vault.call("previewRedeem", 10**22)
