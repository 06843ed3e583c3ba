"""Shocks: which contract a price comes from, and what it answers from now on.

Law: a shock moves what the oracle reads, nothing else. Pools stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence

from keeper.core.tokens import SYMBOL, symbol_of
from keeper.core.units import BPS, ZERO_ADDRESS, Address
from keeper.daemon import Keeper
from keeper.devnet.rpc import Rpc
from keeper.errors import ConfigError, DevnetError, RpcError
from keeper.indexer.market import Market

Shock = tuple[str, int]  # a symbol, and the change in basis points
Answers = Mapping[Address, int]  # of price sources


def answers(keeper: Keeper, rpc: Rpc, shocks: Sequence[Shock]) -> Answers:
    """What each price source has to answer."""
    found: dict[Address, int] = {}
    problems = []
    known = {asset: symbol(rpc, asset) for market in keeper.indexer.markets for asset in _assets(market)}
    for name, change in shocks:
        hit = [asset for asset, called in known.items() if called == name]
        if not hit:
            there = ", ".join(sorted(set(filter(None, known.values()))))
            problems.append(f"--shock {name}: no market has an asset with this symbol; there are {there}")
        for asset in hit:
            for market, price in _prices(keeper, asset):
                source = source_of(market, asset)
                if source is None:
                    problems.append(f"--shock {name}: the price of {asset} comes from no source that could be moved")
                else:
                    found[source] = price * (BPS + change) // BPS
    if problems:
        raise ConfigError(*problems)
    return found


def source_of(market: Market, asset: Address) -> Address | None:
    """The contract whose answer is the asset's price; none where the price is fixed or a fallback's."""
    fact = market.book.fact("source", asset)
    return None if fact is None or fact.source == ZERO_ADDRESS else Address(fact.source)


def symbol(rpc: Rpc, token: Address) -> str:
    """What a token calls itself; empty when it does not say."""
    try:
        return symbol_of(rpc.call(token, SYMBOL))
    except (RpcError, DevnetError):
        return ""


def _assets(market: Market) -> Sequence[Address]:
    return list(market.adapter.assets(market.book))


def _prices(keeper: Keeper, asset: Address) -> Iterator[tuple[Market, int]]:
    for market in keeper.indexer.markets:
        valued = market.adapter.assets(market.book).get(asset)
        if valued is not None:
            yield market, valued.price
