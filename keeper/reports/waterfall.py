"""Where a bonus goes, as a picture: the cost identity of a liquidation as a waterfall.

Law: the bars are the terms of an ``Estimate``, and add up as it does. Black and white are enough to read it: what is
taken off is hatched, what is left is solid.

``python -m keeper.reports.waterfall docs/img`` draws the examples of docs/profit.md anew.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from keeper.core.plans import Estimate, FundingKind
from keeper.core.ports import Loan, Valued
from keeper.core.units import RAY, WAD, Address, Bps, Wei
from keeper.core.venues import Liquidity, PoolKey
from keeper.estimator import size
from keeper.estimator.deals import SaleDeal
from keeper.estimator.desk import Desk
from keeper.estimator.estimate import Cost, Part, identity
from keeper.estimator.terms import Terms
from keeper.estimator.worth import Prices
from keeper.protocols.aave_v3.pair import LiquidationPair
from keeper.protocols.aave_v3.profiles import V3_6
from keeper.protocols.aave_v3.seizure import LiquidationTerms
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.pool import UniswapV2Pool

USD: Final = 10**8
USDC: Final = 10**6
WETH, USDC_TOKEN, NOBODY = (Address(f"0x{n:040x}") for n in (1, 2, 3))
PRICES: Final = Prices({WETH: Valued(2_000 * USD, WAD), USDC_TOKEN: Valued(USD, USDC)}, WETH)
GAS: Final = 600_000 * 20 * 10**9


class Example(NamedTuple):
    """One liquidation of the fixture."""

    repay: int  # USDC
    estimate: Estimate


def fixture(reserve: int) -> SaleDeal:
    """Fixture F: 10 ETH at 2,000, 16,800 USDC of debt, bonus 5 %, a pool of so much ETH on one side at that price."""
    terms = LiquidationTerms(
        collateral_scaled=10 * WAD,
        collateral_index=RAY,
        collateral_price=2_000 * USD,
        collateral_unit=WAD,
        bonus=10_500,
        protocol_fee=1_000,
        debt_scaled=16_800 * USDC,
        debt_index=RAY,
        debt_price=USD,
        debt_unit=USDC,
        total_collateral=20_000 * USD,
        total_debt=16_800 * USD,
        health_factor=982_142_857 * 10**9,
        liquidity=10**30,
    )
    pair = LiquidationPair(NOBODY, NOBODY, WETH, USDC_TOKEN, NOBODY, V3_6, terms, receive_wrapped=False)
    pool = UniswapV2Pool(PoolKey(NOBODY, WETH, USDC_TOKEN, 3_000), reserve * WAD, reserve * 2_000 * USDC)
    loan = Loan(FundingKind.AAVE_FLASH_LOAN, NOBODY, USDC_TOKEN, 10**30, Bps(5), fee_up=True)
    found = Terms.of(pair, PRICES, USDC_TOKEN)
    curves = Desk.of(Liquidity.of([pool]), Routing()).curves(WETH, USDC_TOKEN, pair.settle(found.most).received)
    return SaleDeal(found, loan, curves[0])


def example(deal: SaleDeal, repay: int) -> Example:
    """What repaying so much brings, profit or loss."""
    done = deal.done(repay, Bps(0))
    if done is None:
        raise ValueError(f"{repay} cannot be sold")
    left = PRICES.wei_down(USDC_TOKEN, done.left) if done.left > 0 else -PRICES.wei_up(USDC_TOKEN, -done.left)
    cost = Cost(600_000, Wei(GAS), Wei(0))
    return Example(repay, identity((Part(done, PRICES, None),), left, 0, cost, 0))


def examples() -> dict[str, Example]:
    """The fixture in a deep pool; in a thin one at the cap, and at the best amount."""
    deep, thin = fixture(5_000), fixture(100)
    best = size.best(thin, thin.intervals(), thin.guesses(thin.terms.most))
    return {
        "deep": example(deep, deep.terms.most),
        "cap": example(thin, thin.terms.most),
        "best": example(thin, best.repay if best else 0),
    }


def bars(estimate: Estimate) -> list[tuple[str, int]]:
    """The terms of the identity in order, the losses negative; zero terms are left out."""
    losses = (
        ("protocol", estimate.protocol_fee),
        ("pool fees", estimate.venue_fee),
        ("impact", estimate.impact),
        ("flash loan", estimate.funding_fee),
        ("gas", estimate.gas),
        ("L1 fee", estimate.l1_fee),
        ("bid", estimate.bid),
    )
    kept = [(name, -amount) for name, amount in losses if amount]
    return [("bonus", estimate.gross_bonus), *kept, ("net", estimate.net)]


def draw(charts: Sequence[tuple[str, Estimate]], wei_per_dollar: int) -> bytes:
    """The charts side by side, on one scale, as SVG. Needs the extra ``reports``."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra, asked for only when a picture is
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "keeper", "font.size": 9}):
        figure = Figure(figsize=(4.6 * len(charts), 2.7), layout="constrained")
        axes = figure.subplots(1, len(charts), sharey=True, squeeze=False)[0]
        for axis, (title, estimate) in zip(axes, charts, strict=True):
            _chart(axis, title, [(name, wei / wei_per_dollar) for name, wei in bars(estimate)])
        out = io.BytesIO()
        figure.savefig(out, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _chart(axis: Any, title: str, terms: Sequence[tuple[str, float]]) -> None:  # noqa: ANN401 - matplotlib's own
    level = 0.0
    for at, (name, dollars) in enumerate(terms):
        whole = name in ("bonus", "net")
        start = 0.0 if whole else level
        style: dict[str, Any] = (
            {"color": "black"} if whole else {"facecolor": "white", "edgecolor": "black", "hatch": "////"}
        )
        axis.bar(at, dollars, bottom=start, width=0.7, linewidth=0.8, **style)
        level = dollars if name == "bonus" else level + dollars * (not whole)
        top = max(start, start + dollars, 0)
        axis.annotate(f"{dollars:,.2f}", (at, top), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(terms)), [name.replace(" ", "\n") for name, _ in terms])
    axis.set_title(title, fontsize=9)
    axis.tick_params(axis="x", length=0)
    axis.spines[["top", "right"]].set_visible(False)
    least, most = axis.get_ylim()
    axis.set_ylim(least, max(most, 1.12 * max(dollars for _, dollars in terms)))


def write(folder: Path) -> None:
    """The examples of docs/profit.md."""
    folder.mkdir(parents=True, exist_ok=True)
    found, dollar = examples(), WAD // 2_000
    deep, cap, best = (found[name] for name in ("deep", "cap", "best"))
    one = [("Repay 8,400 USDC, pool of 5,000 ETH (USD)", deep.estimate)]
    two = [
        ("Pool of 100 ETH: repay the cap, 8,400 (USD)", cap.estimate),
        (f"The same pool: repay {best.repay / USDC:,.2f} (USD)", best.estimate),
    ]
    (folder / "profit-deep.svg").write_bytes(draw(one, dollar))
    (folder / "profit-thin.svg").write_bytes(draw(two, dollar))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
