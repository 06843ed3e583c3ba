"""Every worked number of the reference for calculators, asked as the command is asked."""

from typing import Any

import pytest

from keeper.commands.calc import shown, takes, values
from keeper.commands.calculators import CALCULATORS
from keeper.errors import ConfigError
from keeper.reports.calculators import options

LONG = "side=long size=1 entry=50000 margin=5000 mmr=0.005"
SHORT = "side=short size=1 entry=50000 margin=5000 mmr=0.005"
BIG = "side=long size=10 entry=50000 margin=50000"
COIN = "venue=bybit-inverse side=long size=60000 entry=50000 margin=0.12 mmr=0.005"
THIN = "side=long size=1 entry=50000 margin=5000 mmr=0.0125"
DYDX = "side=long size=1 notional=50000 collateral=500 mmr=1500"
CROSS = "venue=cross side=long size=1 entry=50000 margin=6000 mmr=0.0125 cum=1625"
PRICE = "liquidation_price"
DUTCH = "feed=2000 limit=1990 tab=18984 tip=250 chip=0.001"


def calculated(name: str, words: str) -> dict[str, Any]:
    function = CALCULATORS[name]
    return dict(function(**values(name, function, words.split())))


@pytest.mark.parametrize(
    ("name", "words", "answer", "digits", "expected"),
    [
        # R1
        ("liquidation", f"venue=binance {LONG}", PRICE, 2, 45_226.13),
        ("liquidation", f"venue=binance {SHORT}", PRICE, 2, 54_726.37),
        ("liquidation", f"venue=binance {LONG} funding=120", PRICE, 2, 45_346.73),
        ("liquidation", f"venue=binance {BIG} mmr=0.01 cum=300", PRICE, 2, 45_424.24),
        ("tiers", f"{BIG} table=60000:0.005,inf:0.01", PRICE, 2, 45_424.24),
        ("liquidation", f"venue=bybit {LONG}", PRICE, 2, 45_250),
        ("liquidation", COIN, PRICE, 2, 45_662.10),
        ("liquidation", f"venue=hyperliquid {THIN}", PRICE, 2, 45_569.62),
        ("liquidation", CROSS, PRICE, 2, 45_569.62),
        # R2
        ("mark", "index=50000 funding=0.0001 hours=4 basis=12 last=50100", "mark_price", 1, 50_012),
        ("mark", "index=50000 funding=0.0001 hours=4 basis=12 last=47000", "mark_price", 1, 50_002.5),
        # R3
        ("bankruptcy", DYDX, "bankruptcy_price", 2, 49_500),
        ("bankruptcy", DYDX, "fillable_price", 2, 49_900),
        ("bankruptcy", f"{DYDX} spread=1.5", "fillable_price", 2, 48_500),
        # R4
        ("insolvency", "buffer=4000 delta=-5 gamma=-0.02 spot=2000 vol=0.8", "distance", 2, 430.07),
        ("insolvency", "buffer=4000 delta=-5 gamma=-0.02 spot=2000 vol=0.8", "linear", 2, 800),
        ("insolvency", "buffer=4000 delta=-5 gamma=-0.02 spot=2000 vol=0.8", "acceleration", 2, 1.86),
        ("insolvency", "buffer=4000 delta=-5 gamma=-0.02 spot=2000 vol=0.8", "hours", 0, 519),
        # R5
        ("eta", "health=1.02 borrow=0.08 supply=0.02", "days", 2, 120.47),
        ("barrier", "price=2000 barrier=1800 vol=0.8 days=7", "probability", 4, 0.3598),
        # R9
        ("leverage", "collateral=20000 debt=16800", "leverage", 2, 6.25),
        # R10
        ("option", "kind=call spot=2000 strike=2200 days=30 vol=0.8", "price", 2, 107.96),
        ("option", "kind=call spot=2000 strike=2200 days=30 vol=0.8", "delta", 4, 0.3818),
        ("option", "kind=call spot=2000 strike=2200 days=30 vol=0.8", "gamma", 6, 0.000831),
        ("option", "kind=call spot=2000 strike=2200 days=30 vol=0.8 size=-10", "value", 2, -1_079.60),
        ("option", "kind=call spot=2000 strike=2200 days=30 vol=1.1 size=-10", "value", 2, -1_749.27),
        ("option-margin", "system=deribit spot=50000 strike=55000 price=0.03", "initial_margin", 3, 0.13),
        ("option-margin", "system=deribit spot=50000 strike=55000 price=0.03", "maintenance_margin", 3, 0.105),
        # P9
        ("option-margin", "system=gamma spot=2000 strike=1800", "required", 2, 525),
        ("vault-auction", "posted=500 cash=0 spot=2000 seconds=1800", "price", 2, 250),
        ("portfolio-auction", "mm=-100 mtm=1000", "fraction", 4, 0.1469),
        ("portfolio-auction", "mm=-100 mtm=1000", "pays", 2, 132.23),
        ("portfolio-auction", "mm=-100 mtm=1000", "worth", 2, 146.92),
        ("portfolio-auction", "mm=-300 mtm=-120 progress=0.5", "paid_to_liquidator", 2, 210),
        ("option-margin", "system=panoptic spot=1 balance=8000 required=10000", "bonus", 2, 2_000),
        ("option-margin", "system=panoptic spot=1 balance=3000 required=10000", "bonus", 2, 1_500),
        # P3
        ("dutch", "feed=2000 seconds=900", "price", 2, 2_351.39),
        ("dutch", DUTCH, "met_at_step", 0, 27),
        ("dutch", DUTCH, "met_after", 0, 2_430),
        ("dutch", DUTCH, "price_then", 2, 1_982.09),
        ("dutch", DUTCH, "reset_after", 0, 8_280),
        ("dutch", DUTCH, "kick_reward", 3, 268.984),
        ("dutch", f"{DUTCH} take=5 least=8475", "owed", 2, 9_910.46),
        ("dutch", f"{DUTCH} take=5 least=8475", "left", 2, 9_073.54),
        # K10
        ("bid", "value=315 bidders=3", "bid", 2, 210),
        ("bid", "value=315 bidders=3", "gwei", 0, 175),
        ("bid", "value=315 bidders=3 gamma=0.8", "bid", 2, 252),
        ("bid", "value=315 bidders=3 gamma=0.8 least=50", "bid", 2, 252),
        ("bid", "value=315 bidders=3 wins=0.4", "expected", 2, 42),
        ("bid", "value=315 bidders=3 wins=0.4 miss=6", "expected", 2, 38.4),
        # R12, R17, X3
        ("toxicity", "ltv=0.94 remaining=10 reserve=200 bonus=0.05", "bound", 4, 0.8658),
        ("toxicity", "ltv=0.84 remaining=10 reserve=5000 bonus=0.05", "bound", 4, 0.9486),
        ("haircut", "vol=0.8 minutes=15 gas=24 value=8778", "share", 4, 0.0156),
        ("deleveraging", "price=50000 entry=40000 notional=100000 equity=20000", "rank", 2, 6.25),
        ("deleveraging", "price=50000 entry=48000 notional=100000 equity=5000", "rank", 2, 20.83),
    ],
)  # fmt: skip
def test_the_worked_numbers(name: str, words: str, answer: str, digits: int, expected: float) -> None:
    assert round(float(calculated(name, words)[answer]), digits) == expected


@pytest.mark.parametrize(("ltv", "toxic"), [("0.94", True), ("0.84", False)])
def test_toxic_is_beyond_the_bound(ltv: str, toxic: bool) -> None:  # noqa: FBT001 - what is expected
    assert calculated("toxicity", f"ltv={ltv} remaining=10 reserve=200 bonus=0.05")["toxic"] is toxic


def test_venues_give_different_answers_and_a_short_mirrors_a_long() -> None:
    prices = [calculated("liquidation", f"venue={venue} {LONG}")[PRICE] for venue in ("binance", "bybit")]
    assert prices[0] != prices[1]
    alike = [calculated("liquidation", f"venue={venue} {THIN}")[PRICE] for venue in ("binance", "hyperliquid")]
    assert alike[0] == pytest.approx(alike[1])  # one rule in two forms: what differs is the rate
    for venue in ("binance", "bybit", "hyperliquid", "cross"):
        down, up = (calculated("liquidation", f"venue={venue} {side}")["liquidation_price"] for side in (LONG, SHORT))
        assert down < 50_000 < up
    inverse = [
        calculated("liquidation", f"venue=bybit-inverse side={side} size=60000 entry=50000 margin=0.12 mmr=0.005")
        for side in ("long", "short")
    ]
    assert inverse[0]["liquidation_price"] < 50_000 < inverse[1]["liquidation_price"]


def test_a_quote_that_is_too_wide_is_none() -> None:
    assert options.gap(107.96, 105, 109, 0.1) == pytest.approx((107, 0.96))
    assert options.gap(107.96, 60, 140, 0.1) == (107.96, None)
    assert options.gap(107.96, None, 109, 0.1) == (107.96, None)


def test_a_flat_smile_is_flat_and_a_tilted_one_is_not() -> None:
    flat = (0.8**2 * 30 / 365, 0.0, 0.0, 0.0, 0.1)
    assert options.svi(2_200, 2_000, 30 / 365, flat) == pytest.approx(0.8)
    tilted = (0.04, 0.1, -0.5, 0.0, 0.1)
    assert options.svi(1_500, 2_000, 30 / 365, tilted) > options.svi(2_600, 2_000, 30 / 365, tilted)


def test_a_put_and_a_call_keep_parity_and_greeks_are_slopes() -> None:
    call, put = (options.black76(2_000, 2_200, 0.1, 0.8, kind) for kind in (1, -1))
    assert call.price - put.price == pytest.approx(-200)
    up, down = (options.black76(2_000 + h, 2_200, 0.1, 0.8, 1) for h in (0.5, -0.5))
    assert up.price - down.price == pytest.approx(call.delta, abs=1e-6)
    assert up.delta - down.delta == pytest.approx(call.gamma, rel=1e-4)
    wider = options.black76(2_000, 2_200, 0.1, 0.81, 1)
    assert (wider.price - call.price) * 100 == pytest.approx(call.vega, rel=1e-2)
    later = options.black76(2_000, 2_200, 0.1 - 1e-5, 0.8, 1)
    assert (later.price - call.price) * 1e5 == pytest.approx(call.theta, rel=1e-3)
    assert options.black76(2_000, 1_900, 0.0, 0.8, 1) == options.Option(100, 1, 0, 0, 0)


def test_no_price_eats_a_buffer_that_gamma_protects() -> None:
    assert options.insolvency(4_000, -5, 0.02, 2_000, 0.8) is None
    assert calculated("insolvency", "buffer=4000 delta=-5 gamma=0.02 spot=2000 vol=0.8") == {"insolvent": "at no price"}


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("mark", "index=1", "mark also needs funding, hours, basis, last; it takes index=number funding=number"),
        ("mark", "index=x funding=1 hours=1 basis=1 last=1", "index=x: index is number"),
        ("leverage", "colateral=1 debt=1", "colateral=1: leverage takes collateral=number debt=number"),
        ("option", "kind=both spot=1 strike=1 days=1 vol=1", "kind=both: kind is call|put"),
        ("bid", "value=1 gas=1.5", "gas=1.5: gas is whole number"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_taken(name: str, words: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        calculated(name, words)
    assert said in str(raised.value)


def test_every_calculator_says_what_it_is_and_takes() -> None:
    for function in CALCULATORS.values():
        assert function.__doc__
        assert "=" in takes(function)
    assert (shown(45_226.130653), shown(0.0015581), shown(27), shown(True)) == (
        "45,226.130653",
        "0.0015581",
        "27",
        "True",
    )
