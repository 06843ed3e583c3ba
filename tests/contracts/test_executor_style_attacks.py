"""Attempts to make the executor lose on markets of every style: by markets that lie, strangers in the middle, a key.

A market is trusted to be called, not to be honest: what it sends is counted, what it may take is bounded.
"""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from eth_abi.abi import encode

from keeper.core.actions import Stage, Style
from keeper.core.plans import FundingKind, Leg, Role
from keeper.core.units import Amount
from keeper.devnet.contract import Contract
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Receipt, Reverted
from keeper.devnet.world import World
from tests.contracts.executor_hostile import FLOAT, USDC_FLOAT, callbacks, hostile, unharmed, worth_taking
from tests.contracts.executor_markets import DATA, EACH, GIVES, OWED, Market
from tests.contracts.executor_world import CALLER, STRANGER, TREASURY, Rig, logs_of

CALLING_BACK = (Style.CALLBACK, Style.CLIP)
LIES: tuple[dict[str, Any], ...] = ({"gives": 0}, {"gives": 0, "asks": 0}, {"gives": 1, "asks": 10**18})


@pytest.fixture
def rig(world: World) -> Rig:
    return worth_taking(world)


@pytest.fixture
def market(rig: Rig) -> Market:
    return Market.deploy(rig)


def refused(rig: Rig, leg: Leg) -> str:
    """Why the leg fails alone. In company it is skipped, and whoever lied has got nothing."""
    name = rig.refusal(rig.plan(leg, least=0)).name
    rig.fall(2_000 * USD)
    fallen = rig.borrower()
    rig.fall()
    result = rig.simulate(rig.plan(leg, rig.leg(fallen), least=0))
    assert result.skipped == (0,)
    rig.send(rig.plan(leg, rig.leg(fallen), least=0))
    assert unharmed(rig)
    return name


def no_approvals(rig: Rig, *spenders: Contract) -> None:
    for symbol in ("WETH", "USDC"):
        token = rig.world.token(symbol)
        assert [token.call("allowance", rig.address, each.address) for each in spenders] == [0] * len(spenders)


# --- who may be called ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", EACH)
def test_nobody_is_called_whom_the_owner_has_not_listed_for_it(rig: Rig, market: Market, style: Style) -> None:
    market.agree(style)
    leg, other = market.leg(style), hostile(rig, "lying_market")
    assert rig.simulate(rig.plan(leg)).profit > 0
    for role in (Role(0), Role.MARKET, Role.POOL, Role.ROUTER):  # to be liquidated on as Aave is says nothing of this
        rig.allow(market.address, role=role)
        assert rig.refusal(rig.plan(leg)).name == "Forbidden"
    rig.allow(market.address, role=Role.CALLED)
    calls = leg.calls
    changed = [(*calls[:i], replace(call, target=other.address), *calls[i + 1 :]) for i, call in enumerate(calls)]
    legs = [replace(leg, calls=each) for each in changed if style not in CALLING_BACK or each[-1] == calls[-1]]
    legs += [replace(leg, spender=other.address)] if leg.repay else []
    for each in legs:
        if style in CALLING_BACK and not any(c.target == each.market and c.stage is Stage.FIRST for c in each.calls):
            each = replace(each, market=other.address)  # noqa: PLW2901 - else the encoder refuses it already
        assert rig.refusal(rig.plan(each)).name == "Forbidden"


def test_a_market_for_calls_is_no_lender_and_not_liquidated_on_like_aave(rig: Rig, market: Market) -> None:
    account = rig.borrower()
    rig.fall()
    rig.allow(rig.world.layout.aave.pool, role=Role.CALLED)
    assert rig.refusal(rig.plan(rig.leg(account))).name == "Forbidden"
    leg = market.leg(Style.PREFUND)
    funding = replace(leg.funding, kind=FundingKind.AAVE_FLASH_LOAN, source=rig.world.layout.aave.pool)
    assert rig.refusal(rig.plan(replace(leg, funding=funding))).name == "Forbidden"


# --- markets that lie -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", [Style.PREFUND, *CALLING_BACK])
@pytest.mark.parametrize("share", [0, 50, 85])
def test_a_market_that_sends_less_than_it_said(rig: Rig, market: Market, style: Style, share: int) -> None:
    market.behave(gives=GIVES * share // 100)
    leg = market.leg(style)
    if style is Style.CLIP:  # what is not there cannot be taken out of the ledger
        assert rig.refusal(rig.plan(leg, least=0)).name == "0x"
        cut = [replace(c, data=c.data[:-32] + encode(["uint256"], [GIVES * share // 100])) for c in leg.calls[2:3]]
        leg = replace(leg, calls=(*leg.calls[:2], *cut, *leg.calls[3:]))
    assert refused(rig, leg) in ("Short", "AS", "0x")  # a pool does not sell an amount of nothing


@pytest.mark.parametrize("style", CALLING_BACK)
@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"calls_back": 0, "takes": 0}, "NoCallback"),
        ({"calls_back": 2}, "Foreign"),
        ({"asks": OWED * 2}, "Short"),
        ({"asks": 10**30}, "Short"),
        ({"asks": OWED - 1}, ""),  # and takes more than it asked for
    ],
)
def test_a_market_that_calls_back_wrongly(
    rig: Rig, market: Market, style: Style, lie: dict[str, Any], reason: str
) -> None:
    market.behave(**lie)
    name = refused(rig, market.leg(style))
    assert name == reason if reason else name not in ("", "Gone", "Healthy")
    no_approvals(rig, market.contract)


def test_a_market_that_asks_for_nothing_and_gives_nothing_takes_nothing(rig: Rig, market: Market) -> None:
    market.behave(asks=0, takes=0, gives=0)
    leg = replace(market.leg(Style.CALLBACK), swaps=())
    assert rig.simulate(rig.plan(leg, least=0)).profit == 0
    assert rig.refusal(rig.plan(leg, least=1)).name == "Unprofitable"


def test_a_market_that_takes_more_than_is_approved(rig: Rig, market: Market) -> None:
    market.behave(takes=OWED + 1)
    for style in (Style.PREFUND, Style.CALLBACK):
        assert refused(rig, market.leg(style)) not in ("", "Gone", "Healthy")


def test_an_error_number_is_a_failure_and_so_is_silence(rig: Rig, market: Market) -> None:
    market.behave(code=3)
    leg = market.leg(Style.PREFUND)
    assert refused(rig, leg) == "Refused"
    (call,) = leg.calls
    uncoded = replace(leg, calls=(replace(call, coded=False),))
    assert rig.refusal(rig.plan(uncoded)).name == "Unprofitable"  # without the mark it is found out later
    market.behave()
    silent = market.call("owe", STRANGER, 1, coded=True)
    assert refused(rig, replace(leg, calls=(call, silent))) == "Refused"


def test_a_bounty_that_is_not_paid_and_a_takeover_at_a_loss(rig: Rig, market: Market) -> None:
    market.behave(gives=0)
    assert rig.refusal(rig.plan(market.leg(Style.BOUNTY))).name == "Unprofitable"
    market.behave(debt=rig.executor.weth, takes=GIVES // 2, gives=GIVES // 2 - 1)
    assert refused(rig, market.leg(Style.TAKEOVER)) == "Short"


# --- callbacks out of turn ------------------------------------------------------------------------------------------


def test_another_one_calls_back_in_the_markets_place(rig: Rig, market: Market) -> None:
    ally = hostile(rig, "intruder")
    ally.send(
        "prepare", rig.address, bytes.fromhex(rig.contract.fn("onMorphoLiquidate", OWED, DATA)[2:]), sender=STRANGER
    )
    market.behave(ally=ally.address, takes=0)
    assert refused(rig, market.leg(Style.CALLBACK)) == "NoCallback"
    market.behave(ally=ally.address)
    assert refused(rig, market.leg(Style.CALLBACK)) not in ("", "Gone", "Healthy")


def test_a_take_on_somebody_elses_account(rig: Rig, market: Market) -> None:
    market.behave(by=STRANGER)
    assert refused(rig, market.leg(Style.CLIP)) == "Foreign"
    market.behave()
    data = market.contract.fn("take", 7, GIVES, 0, rig.address, DATA)
    intruder = hostile(rig, "intruder")
    intruder.send("prepare", market.address, bytes.fromhex(data[2:]), sender=STRANGER)
    receipt = rig.world.rpc.send(STRANGER, intruder.address, "0x")
    assert tried(receipt, intruder) == [(0, False)]
    assert unharmed(rig)


def test_a_style_is_not_called_back_by_anothers_name(rig: Rig, market: Market) -> None:
    wrong = replace(market.leg(Style.CALLBACK), style=Style.CLIP)
    assert rig.refusal(rig.plan(wrong)).name == "Foreign"
    clip = market.leg(Style.CLIP)
    assert rig.refusal(rig.plan(replace(clip, style=Style.CALLBACK))).name == "Foreign"
    pre = market.call("preLiquidate", clip.account, DATA)
    assert rig.simulate(rig.plan(replace(market.leg(Style.CALLBACK), calls=(pre,)))).profit > 0
    prefunded = replace(market.leg(Style.PREFUND), calls=market.calls(Style.CALLBACK))
    assert rig.refusal(rig.plan(prefunded)).name == "Foreign"  # who is paid first has no reason to call


def tried(receipt: Receipt, who: Contract) -> list[tuple[int, bool]]:
    logs = [log for log in logs_of(receipt) if log.address == who.address]
    return [(int(log.data[2:66], 16), bool(int(log.data[66:], 16))) for log in logs]


@pytest.mark.parametrize("style", EACH)
def test_re_entrancy_from_the_middle_of_a_liquidation(rig: Rig, market: Market, style: Style) -> None:
    """The market calls everything that spends, as itself: all of it fails, and the liquidation goes on."""
    market.agree(style)
    leg = market.leg(style)
    inside = [*callbacks(rig), rig.calldata(rig.plan(leg)), rig.contract.fn("sweep", rig.executor.weth, 0)]
    inside += [rig.contract.fn("take_ownership"), rig.contract.fn("set_roles", [STRANGER], 31)]
    awaited = {Style.CALLBACK: ("onMorphoLiquidate", "onPreLiquidate"), Style.CLIP: ("clipperCall",)}.get(style, ())
    own = tuple(rig.contract.abi.function(name).selector for name in awaited)  # with a lie in them: tested elsewhere
    inside = [data for data in inside if not data.startswith(own)]
    for data in inside:
        market.contract.send("prepare", rig.address, bytes.fromhex(data[2:]), sender=STRANGER)
    rig.allow(market.address, role=Role.CALLED | Role.CALLER)  # even if it could start plans
    receipt = rig.send(rig.plan(leg))
    assert tried(receipt, market.contract) == [(place, False) for place in range(len(inside))]
    assert unharmed(rig)
    no_approvals(rig, market.contract)


# --- a caller's key is stolen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", EACH)
def test_a_stolen_caller_key_and_a_listed_market_that_lies_take_nothing(rig: Rig, market: Market, style: Style) -> None:
    honest = market.leg(style)
    for lie, takes, asset in product(LIES, (0, 1, FLOAT, USDC_FLOAT), ("WETH", "USDC")):
        market.behave(**lie, takes=takes, debt=rig.world.asset(asset))
        for repay in (0, 1, FLOAT, USDC_FLOAT) if honest.repay else (0,):
            funding = replace(honest.funding, amount=Amount(repay))
            leg = replace(honest, repay=Amount(repay), funding=funding, swaps=())
            if style in (Style.BOUNTY, Style.TAKEOVER):
                leg = replace(leg, collateral_asset=rig.world.asset(asset))
            attempt(rig, replace(leg, debt_asset=rig.world.asset(asset)))
    assert unharmed(rig)
    no_approvals(rig, market.contract)
    rig.contract.send("sweep", rig.executor.weth, 0, sender=CALLER)
    assert rig.weth(TREASURY) >= FLOAT


def attempt(rig: Rig, leg: Leg) -> None:
    """Sent if it would go through."""
    try:
        rig.simulate(rig.plan(leg, least=0))
    except Reverted:
        return
    rig.send(rig.plan(leg, least=0))
