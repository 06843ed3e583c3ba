"""One account of a devnet market read view by view, as the terms of a liquidation: nothing of the book is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from keeper.core.units import ZERO_ADDRESS, Address
from keeper.devnet.world import World
from keeper.protocols.aave_v3.health import Account, Position, Rates, account_data, indexes
from keeper.protocols.aave_v3.maths import stable_debt
from keeper.protocols.aave_v3.profiles import Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms

# principalBalanceOf, getUserStableRate, getUserLastUpdated
STABLE_VIEWS = ("0xc634dfaa", "0xe78c9b3b", "0x79ce6b8c")


@dataclass(frozen=True, slots=True)
class Held:
    """One reserve of the account."""

    number: int
    symbol: str
    rates: Rates
    liquidity_index: int
    borrow_index: int
    collateral_scaled: int
    debt_scaled: int
    stable_debt: int
    enabled: bool
    price: int
    unit: int
    threshold: int
    base_threshold: int
    bonus: int
    protocol_fee: int


class Reader:
    """The state of the latest block, evaluated at another time."""

    def __init__(self, world: World, profile: Profile, account: Address, at: int) -> None:
        self.world, self.profile, self.account, self.at = world, profile, account, at

    @cached_property
    def held(self) -> dict[str, Held]:
        return {held.symbol: held for held in self._read()}

    def _read(self) -> Iterator[Held]:
        pool, account = self.world.pool, self.account
        flags = pool.call("getUserConfiguration", account)[0]
        emode = pool.call("getUserEMode", account)
        for number, asset in enumerate(pool.call("getReservesList")):
            symbol = next(s for s, reserve in self.world.layout.reserves.items() if reserve.asset == asset.lower())
            (word,), liquidity, income, borrow, cost, _, updated, *_ = pool.call("getReserveData", asset)
            rates = Rates(liquidity, borrow, income, cost, updated)
            threshold, bonus, source = self._risk(emode, number, word)
            yield Held(
                number,
                symbol,
                rates,
                *indexes(self.profile, rates, self.at),
                collateral_scaled=self.world.a_token(symbol).call("scaledBalanceOf", account),
                debt_scaled=self.world.v_token(symbol).call("scaledBalanceOf", account),
                stable_debt=self._stable(symbol),
                enabled=bool(flags >> 2 * number + 1 & 1),
                price=self.world.oracle.call("getAssetPrice", asset if source == ZERO_ADDRESS else source),
                unit=10 ** (word >> 48 & 0xFF),
                threshold=threshold,
                base_threshold=word >> 16 & 0xFFFF,
                bonus=bonus,
                protocol_fee=word >> 152 & 0xFFFF,
            )

    def _risk(self, emode: int, number: int, word: int) -> tuple[int, int, Address]:
        """Threshold, bonus and price source, of the user's e-mode where the reserve is in it."""
        pool = self.world.pool
        if emode and self.profile.bitmap_emodes:
            if pool.call("getEModeCategoryCollateralBitmap", emode) >> number & 1:
                _, threshold, bonus = pool.call("getEModeCategoryCollateralConfig", emode)
                return threshold, bonus, ZERO_ADDRESS
        elif emode and word >> 168 & 0xFF == emode:
            _, threshold, bonus, source, _ = pool.call("getEModeCategoryData", emode)
            return threshold, bonus, source
        return word >> 16 & 0xFFFF, word >> 32 & 0xFFFF, ZERO_ADDRESS

    def _stable(self, symbol: str) -> int:
        token = self.world.layout.reserves[symbol].s_token
        if token is None or not self.profile.stable_debt:
            return 0
        principal, rate, since = (
            int(self.world.rpc.call(token, f"{selector}{self.account[2:]:0>64}"), 16) for selector in STABLE_VIEWS
        )
        return stable_debt(principal, rate, self.at - since) if principal else 0

    @property
    def totals(self) -> Account:
        profile = self.profile
        return account_data(
            profile,
            (
                Position(
                    profile.collateral_balance(held.collateral_scaled, held.liquidity_index) if held.enabled else 0,
                    profile.debt_balance(held.debt_scaled, held.borrow_index) + held.stable_debt,
                    held.price,
                    held.unit,
                    held.threshold,
                    held.base_threshold,
                )
                for held in self.held.values()
            ),
        )

    def terms(self, collateral: str, debt: str) -> LiquidationTerms:
        seized, owed, totals = self.held[collateral], self.held[debt], self.totals
        return LiquidationTerms(
            collateral_scaled=seized.collateral_scaled,
            collateral_index=seized.liquidity_index,
            collateral_price=seized.price,
            collateral_unit=seized.unit,
            bonus=seized.bonus,
            protocol_fee=seized.protocol_fee,
            debt_scaled=owed.debt_scaled,
            debt_index=owed.borrow_index,
            debt_price=owed.price,
            debt_unit=owed.unit,
            total_collateral=totals.collateral,
            total_debt=totals.debt,
            health_factor=totals.health_factor,
            liquidity=self._liquidity(collateral),
            stable_debt=owed.stable_debt,
        )

    def _liquidity(self, symbol: str) -> int:
        if self.profile.grace_period:  # 3.1 and later
            return int(self.world.pool.call("getVirtualUnderlyingBalance", self.world.asset(symbol)))
        return self.world.balance(symbol, self.world.layout.reserves[symbol].a_token)
