"""A vault's own word on what its shares are worth.

Law: three kinds of vault are known: with virtual shares and assets (OpenZeppelin since 4.9), without (older ones and
solmate's), and with a rate of their own. The first that foretells the vault's ``previewRedeem`` of several amounts to
the unit is taken; if none does, the vault is no venue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from keeper.core.events import Log, word, word_address
from keeper.core.units import RAY, Address
from keeper.core.venues import Finding, Loading, Pool, PoolKey, answered, sorted_pair, view
from keeper.venues.erc4626.pool import Vault

ASSET: Final = "0x38d52e0f"  # asset()
DECIMALS: Final = "0x313ce567"  # decimals()
TOTAL_ASSETS: Final = "0x01e1d114"  # totalAssets()
TOTAL_SUPPLY: Final = "0x18160ddd"  # totalSupply()
PREVIEW_REDEEM: Final = "0x4cdad506"  # previewRedeem(uint256)
PROBES: Final = (RAY, 10**18 + 7, 10**9 + 7, 10**6 + 3, 13)  # amounts of shares, odd on purpose


@dataclass(frozen=True, slots=True)
class Erc4626:
    """One vault: it is its own factory and its own pool."""

    factory: Address

    def find(self, pairs: Sequence[tuple[Address, Address]]) -> Finding:
        """The pair of the vault's shares and its asset, if it is among those asked for."""
        read = view(self.factory, ASSET)
        asset = answered((yield (read,)), read)
        pair = sorted_pair(self.factory, word_address(asset, 0)) if asset else None
        return [PoolKey(self.factory, *pair, 0)] if pair and pair in pairs else []

    def created(self, _log: Log) -> PoolKey | None:
        """A vault announces no pools."""
        return None

    def load(self, key: PoolKey) -> Loading:
        """Its totals, and which kind of vault they belong to."""
        asset = key.token1 if key.token0 == key.address else key.token0
        totals = [view(key.address, selector) for selector in (TOTAL_ASSETS, TOTAL_SUPPLY, DECIMALS)]
        unit = view(asset, DECIMALS)
        probes = {amount: view(key.address, PREVIEW_REDEEM, amount) for amount in PROBES}
        answers = yield (*totals, unit, *probes.values())
        known = [answered(answers, read) for read in (*totals, unit)]
        foretold = {amount: data for amount, read in probes.items() if (data := answered(answers, read))}
        numbers = [word(data, 0) for data in known if data]
        if len(numbers) != len(known) or len(foretold) != len(PROBES):
            return None
        said = {amount: word(data, 0) for amount, data in foretold.items()}
        return next((vault for vault in _kinds(key, said[RAY], *numbers) if _speaks_like(vault, said)), None)

    def apply(self, pool: Pool, _log: Log) -> Pool | None:
        """Nothing: a vault is read anew every block, whatever it logs."""
        return pool


def _kinds(key: PoolKey, rate: int, assets: int, supply: int, decimals: int, unit: int) -> Iterator[Vault]:
    """What the vault would be, kind by kind."""
    yield Vault(key, key.address, assets + 1, supply + 10 ** max(decimals - unit, 0), supply)
    if supply:
        yield Vault(key, key.address, assets, supply, supply)
    yield Vault(key, key.address, rate, RAY, supply, fixed=True)


def _speaks_like(vault: Vault, said: dict[int, int]) -> bool:
    return all(amount * vault.worth // vault.shares == assets for amount, assets in said.items())
