"""Amounts of tokens as people read them.

Law: a token that does not say its name or its decimals is shown by its address, and its amount in its smallest units.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from keeper.commands.tables import fixed
from keeper.core.events import Block, Read
from keeper.core.ports import Chain
from keeper.core.tokens import DECIMALS, SYMBOL, symbol_of
from keeper.core.units import Address

SHOWN: Final = 6  # decimals
MOST: Final = 77  # a token that says more decimals than a word has digits says nothing


@dataclass(frozen=True, slots=True)
class Amounts:
    """What tokens say of themselves."""

    names: Mapping[Address, str] = field(default_factory=dict)
    decimals: Mapping[Address, int] = field(default_factory=dict)

    def __call__(self, asset: Address, amount: int) -> str:
        """An amount with its token."""
        name, decimals = self.names.get(asset, asset), self.decimals.get(asset, 0)
        return f"{fixed(amount, decimals, min(decimals, SHOWN)) if decimals else f'{amount:,}'} {name}"


async def symbols(chain: Chain, block: Block, assets: Collection[Address]) -> dict[Address, str]:
    """What tokens call themselves, as far as they do."""
    answers = await chain.call_many([Read(asset, SYMBOL) for asset in assets], block)
    said = {asset: symbol_of(answer) for asset, answer in zip(assets, answers, strict=True)}
    return {asset: name for asset, name in said.items() if name.isprintable() and name}


async def amounts(chain: Chain, block: Block, assets: Iterable[Address]) -> Amounts:
    """Names and decimals of some tokens."""
    asked = sorted(set(assets))
    answers = await chain.call_many([Read(asset, DECIMALS) for asset in asked], block)
    said = {asset: int(answer, 16) for asset, answer in zip(asked, answers, strict=True) if answer and answer != "0x"}
    decimals = {asset: number for asset, number in said.items() if number <= MOST}
    return Amounts(await symbols(chain, block, asked), decimals)
