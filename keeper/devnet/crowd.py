"""A crowd of borrowers, drawn from a seed and put on chain in a few batches.

Law: the same seed on the same world gives the same accounts with the same portfolios. The lender supplies in their
name, so that a borrower costs one transaction for each collateral and one for each debt.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_utils.crypto import keccak

from keeper.core.units import MAX_U256, Address
from keeper.devnet.actions import VARIABLE_RATE, Actions
from keeper.devnet.layout import LENDER, USD, Layout
from keeper.devnet.rpc import Tx
from keeper.devnet.tokens import EMODES, RISK

_MEDIAN_SIZE: Final = 8_000  # dollars of collateral
_SPREAD: Final = 1.3  # sigma of the logarithm of the size
_SMALLEST, _LARGEST = 50, 500_000
_EMODE_SHARE: Final = 0.1
_DEBTS: Final = ("USDC", "USDC", "USDC", "DAI", "DAI", "WETH", "WBTC", "LINK")  # as often as they are listed
_COLLATERALS: Final = ("WETH", "WETH", "WETH", "WBTC", "WBTC", "WSTETH", "USDC", "LINK", "YOC")
_BPS: Final = 10_000
_NO_REFERRAL: Final = 0


@dataclass(frozen=True, slots=True)
class Borrower:
    """A portfolio: amounts in the tokens' smallest units."""

    account: Address
    collateral: Mapping[str, int]
    debt: Mapping[str, int]
    emode: int = 0


def borrower_address(seed: int, index: int) -> Address:
    """Nobody's key."""
    return Address("0x" + keccak(text=f"keeper borrower {seed} {index}")[12:].hex())


def draw_borrowers(layout: Layout, prices: Mapping[str, int], count: int, seed: int) -> list[Borrower]:
    """Portfolios that the market accepts at these prices, from comfortable to close to the edge."""
    rng = random.Random(seed)
    return [_draw(rng, layout, prices, borrower_address(seed, index)) for index in range(count)]


def _draw(rng: random.Random, layout: Layout, prices: Mapping[str, int], account: Address) -> Borrower:
    size = min(max(_MEDIAN_SIZE * rng.lognormvariate(0, _SPREAD), _SMALLEST), _LARGEST)
    leverage = rng.betavariate(5, 1.2)  # share of the allowed debt that is taken: most take much of it
    if rng.random() < _EMODE_SHARE:
        held, owed, ltv, emode = ["WSTETH"], ["WETH"], {"WSTETH": EMODES[0].ltv}, EMODES[0].id
    else:
        held = _several(rng, _COLLATERALS, 3)
        owed = _several(rng, [symbol for symbol in _DEBTS if symbol not in held], 2)
        ltv, emode = {symbol: RISK[symbol].ltv for symbol in held}, 0
    values = _split(rng, held, int(size * USD))
    allowed = sum(value * ltv[symbol] for symbol, value in values.items()) // _BPS
    debts = _split(rng, owed, int(allowed * min(0.05 + 0.95 * leverage, 0.995)))
    return Borrower(account, _amounts(layout, prices, values), _amounts(layout, prices, debts), emode)


def _several(rng: random.Random, symbols: Sequence[str], most: int) -> list[str]:
    """One to ``most`` different ones, fewer more often."""
    count = rng.choices(range(1, most + 1), weights=range(most, 0, -1))[0]
    return sorted({rng.choice(symbols) for _ in range(count)})


def _split(rng: random.Random, symbols: Sequence[str], total: int) -> dict[str, int]:
    weights = [rng.randint(1, 4) for _ in symbols]
    return {symbol: total * weight // sum(weights) for symbol, weight in zip(symbols, weights, strict=True)}


def _amounts(layout: Layout, prices: Mapping[str, int], values: Mapping[str, int]) -> dict[str, int]:
    """Values in units of 1e-8 dollars as amounts, less what rounds to nothing."""
    amounts = {symbol: value * layout.tokens[symbol].unit // prices[symbol] for symbol, value in values.items()}
    return {symbol: amount for symbol, amount in amounts.items() if amount}


class Crowd(Actions):
    """Many users at once."""

    def borrowers(self, count: int, seed: int) -> list[Borrower]:
        """Draws ``count`` borrowers at the current prices and puts them on chain."""
        prices = {symbol: self.price(symbol) for symbol in self.layout.reserves}
        crowd = draw_borrowers(self.layout, prices, count, seed)
        self.fund(*(borrower.account for borrower in crowd))
        self.rpc.send_all([*self._stock(crowd), *self._supplies(crowd)])
        self.rpc.send_all(self._borrows(crowd))
        return crowd

    def _stock(self, crowd: Sequence[Borrower]) -> Iterable[Tx]:
        """What the lender needs, and twice what will be borrowed as liquidity."""
        for symbol in self.layout.reserves:
            lent = 2 * sum(borrower.debt.get(symbol, 0) for borrower in crowd)
            needed = lent + sum(borrower.collateral.get(symbol, 0) for borrower in crowd)
            token = self.token(symbol)
            yield token.tx("mint(address,uint256)", LENDER, needed, sender=LENDER)
            yield token.tx("approve", self.layout.aave.pool, MAX_U256, sender=LENDER)
            if lent:
                yield self._supply_for(LENDER, symbol, lent)

    def _supplies(self, crowd: Sequence[Borrower]) -> Iterable[Tx]:
        for borrower in crowd:
            for symbol, amount in borrower.collateral.items():
                yield self._supply_for(borrower.account, symbol, amount)

    def _supply_for(self, account: Address, symbol: str, amount: int) -> Tx:
        return self.pool.tx("supply", self.asset(symbol), amount, account, _NO_REFERRAL, sender=LENDER)

    def _borrows(self, crowd: Sequence[Borrower]) -> Iterable[Tx]:
        for borrower in crowd:
            if borrower.emode:
                yield self.pool.tx("setUserEMode", borrower.emode, sender=borrower.account)
            for symbol, amount in borrower.debt.items():
                yield self.borrow_tx(borrower.account, symbol, amount, VARIABLE_RATE)
