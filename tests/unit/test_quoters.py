"""External quotes: the HTTP client against a server on loopback, and plans with and without them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from keeper.core.plans import FundingKind, Plan, VenueKind
from keeper.core.quoting import ExternalQuote, NoQuote, QuoteRequest
from keeper.core.refusals import Reason
from keeper.core.units import Amount, Bps
from keeper.estimator.bid import BidBook
from keeper.estimator.decide import decide
from keeper.estimator.external import request_of, with_quote
from keeper.estimator.guards import Refusal
from keeper.estimator.pack import pack
from keeper.executor.outside import Outside
from keeper.executor.quoters import MAX_BODY, ONE_INCH, HttpQuoter
from tests.unit.estimator_world import (
    CAP,
    DEEP,
    FREE,
    LOAN,
    PRICES,
    THIN,
    USDC,
    USDC_TOKEN,
    WETH_TOKEN,
    address,
    candidate,
    world,
)

ROUTER, TAKER = address(0x0B), address(0x0C)
REQUEST = QuoteRequest(WETH_TOKEN, USDC_TOKEN, Amount(10**18), TAKER)
GOOD = {"transaction": {"to": ROUTER.upper().replace("X", "x"), "data": "0xABcd"}, "buyAmount": "1990000000"}
Make = Callable[..., HttpQuoter]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Any], Any]]:
    """``await serve(answer)``: a quoter of a server that answers so; ``answer`` may be a handler."""
    opened: list[Any] = []

    async def start(answer: Any, **options: Any) -> HttpQuoter:
        async def handler(request: web.Request) -> web.StreamResponse:
            if callable(answer):
                response: web.StreamResponse = await answer(request)
                return response
            return web.json_response(answer)

        app = web.Application()
        app.router.add_get("/quote", handler)
        server, session = TestServer(app), aiohttp.ClientSession()
        opened.extend((session, server))
        await server.start_server()
        url = str(server.make_url("/quote")) + "?sell={sold}&buy={bought}&amount={amount}&taker={taker}"
        return HttpQuoter("here", session, url, frozenset({ROUTER}), **options)

    yield start
    for one in opened:
        await one.close()


async def test_quote_is_read(serve: Callable[..., Any]) -> None:
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((dict(request.query), request.headers.get("api-key")))
        return web.json_response(GOOD)

    quoter = await serve(answer, headers={"api-key": "secret"})
    assert await quoter.quote(REQUEST) == ExternalQuote("here", REQUEST, Amount(1_990_000_000), ROUTER, "0xabcd")
    asked = {"sell": WETH_TOKEN, "buy": USDC_TOKEN, "amount": str(10**18), "taker": TAKER}
    assert seen == [(asked, "secret")]
    assert "secret" not in repr(quoter)


async def test_other_services_have_other_fields(serve: Callable[..., Any]) -> None:
    quoter = await serve({"tx": {"to": ROUTER, "data": "0x01"}, "dstAmount": 5}, fields=ONE_INCH)
    assert await quoter.quote(REQUEST) == ExternalQuote("here", REQUEST, Amount(5), ROUTER, "0x01")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (GOOD | {"transaction": {"to": TAKER, "data": "0x01"}}, "a router that is not allow-listed"),
        (GOOD | {"transaction": {"data": "0x01"}}, "a router that is not allow-listed"),
        (GOOD | {"transaction": {"to": ROUTER, "data": "0x0"}}, "calldata that cannot be carried"),
        (GOOD | {"transaction": {"to": ROUTER, "data": "0x" + "00" * 2_000}}, "calldata that cannot be carried"),
        (GOOD | {"buyAmount": "-5"}, "no amount"),
        (GOOD | {"buyAmount": 0}, "no amount"),
        (GOOD | {"buyAmount": True}, "no amount"),
        (GOOD | {"buyAmount": 2**128}, "no amount"),
        (GOOD | {"buyAmount": 1.5}, "no amount"),
        ([1, 2], "a router that is not allow-listed"),
    ],
)
async def test_unusable_answers(serve: Callable[..., Any], answer: Any, reason: str) -> None:
    assert await (await serve(answer)).quote(REQUEST) == NoQuote("here", reason)


async def test_failures_are_values(serve: Callable[..., Any]) -> None:
    async def html(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=429)

    async def moved(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"location": "http://127.0.0.1:1/"})

    async def long(_: web.Request) -> web.Response:
        return web.Response(body=b" " * (MAX_BODY + 10))

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    for handler, reason in (
        (html, "not JSON"),
        (busy, "HTTP 429"),
        (moved, "HTTP 302"),
        (long, f"more than {MAX_BODY} bytes"),
        (slow, "no answer within 0.1 s"),
    ):
        assert await (await serve(handler, timeout=0.1)).quote(REQUEST) == NoQuote("here", reason)


async def test_nobody_there() -> None:
    async with aiohttp.ClientSession() as session:
        quoter = HttpQuoter("gone", session, "http://127.0.0.1:9/{sold}", frozenset({ROUTER}))
        assert await quoter.quote(REQUEST) == NoQuote("gone", "ClientConnectorError")


# --- in a plan ---

QUIET = BidBook(start=Bps(0), low=Bps(0))


def planned(**changes: Any) -> Plan:
    plan = decide(world(THIN, bids=QUIET, **changes), candidate())
    assert isinstance(plan, Plan)
    return plan


def quote_for(plan: Plan, out: int) -> ExternalQuote:
    (leg,) = plan.legs
    request = QuoteRequest(leg.collateral_asset, leg.debt_asset, leg.settlement.received, TAKER)
    return ExternalQuote("here", request, Amount(out), ROUTER, "0xabcd")


def test_better_quote_is_taken_and_worse_is_not() -> None:
    plan = planned()
    local = plan.legs[0].swaps[0].expected_out
    better = with_quote(world(THIN, bids=QUIET), plan, PRICES, quote_for(plan, local + 100 * USDC))
    assert isinstance(better, Plan)
    (swap,) = better.legs[0].swaps
    assert (swap.hops[0].venue, swap.hops[0].pool, swap.hops[0].data) == (VenueKind.ROUTER, ROUTER, "0xabcd")
    assert better.legs[0].repay == plan.legs[0].repay
    assert better.estimate.profit - plan.estimate.profit == PRICES.wei_down(USDC_TOKEN, 100 * USDC)
    assert with_quote(world(THIN, bids=QUIET), plan, PRICES, quote_for(plan, local)) is plan


def test_quote_that_loses_or_is_for_something_else() -> None:
    plan = planned()
    lost = with_quote(world(THIN), plan, PRICES, quote_for(plan, USDC))
    assert isinstance(lost, Refusal)
    assert lost.reason is Reason.UNPROFITABLE
    quote = quote_for(plan, 10**12)
    other = replace(quote, request=replace(quote.request, amount=Amount(5)))
    refusal = with_quote(world(THIN), plan, PRICES, other)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_ROUTE


def test_router_is_not_combined_with_a_locked_vault() -> None:
    plan = planned()
    quote = quote_for(plan, plan.legs[0].swaps[0].expected_out + 500 * USDC)
    both = with_quote(world(THIN, bids=QUIET, lenders=(FREE, LOAN)), plan, PRICES, quote)
    assert isinstance(both, Plan)
    assert both.legs[0].funding.kind is FundingKind.AAVE_FLASH_LOAN
    vault = with_quote(world(THIN, bids=QUIET, lenders=(FREE,)), plan, PRICES, quote)
    assert isinstance(vault, Refusal)
    assert vault.reason is Reason.NO_FUNDING


def test_left_over_of_a_routed_sale_is_converted() -> None:
    native = replace(world(THIN, DEEP).policy, profit_token=WETH_TOKEN)
    here = world(THIN, DEEP, bids=QUIET, policy=native)
    plan = decide(here, candidate())
    assert isinstance(plan, Plan)
    better = with_quote(here, plan, PRICES, quote_for(plan, 9_500 * USDC))
    assert isinstance(better, Plan)
    assert [hop.token_out for hop in better.conversions[0].hops] == [WETH_TOKEN]


# --- between planning and sending ---


class Shop:
    """Pays what it is told for whatever it is asked about."""

    name = "shop"

    def __init__(self, pays: int) -> None:
        self.pays, self.asked = pays, list[QuoteRequest]()

    async def quote(self, request: QuoteRequest) -> ExternalQuote | NoQuote:
        self.asked.append(request)
        return ExternalQuote(self.name, request, Amount(self.pays), ROUTER, "0xabcd") if self.pays else NoQuote("", "")


async def test_the_best_quote_replaces_a_sale() -> None:
    here, account = world(THIN, bids=QUIET), candidate()
    packed = pack(here, [account])
    (plan,) = packed.plans
    best = plan.legs[0].swaps[0].expected_out + 100 * USDC
    shops = (Shop(best - USDC), Shop(best), Shop(0))
    improved = await Outside(shops, TAKER).improve(here, packed, [account])
    (better,) = improved.plans
    assert better.legs[0].swaps[0].expected_out == best
    assert improved.skips == packed.skips == ()
    assert all(shop.asked == [request_of(plan.legs[0], TAKER)] for shop in shops)
    assert await Outside((Shop(1), Shop(0)), TAKER).improve(here, packed, [account]) == packed


async def test_collateral_that_no_pool_buys_is_sold_outside() -> None:
    here, account = world(bids=QUIET), candidate()
    packed = pack(here, [account])
    assert [skip.reason for skip in packed.skips] == [Reason.NO_ROUTE]
    shop = Shop(8_700 * USDC)
    improved = await Outside((shop,), TAKER).improve(here, packed, [account])
    (plan,) = improved.plans
    (leg,) = plan.legs
    assert improved.skips == ()
    assert leg.repay == CAP
    assert leg.funding.kind is FundingKind.AAVE_FLASH_LOAN
    assert leg.swaps[0].hops[0].pool == ROUTER
    assert shop.asked[0].amount == leg.settlement.received
    poor = await Outside((Shop(8_300 * USDC),), TAKER).improve(here, packed, [account])
    assert poor == packed
