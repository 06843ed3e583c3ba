"""Benchmarks run small: what they count must be right; how fast they are is for ``keeper bench`` to say."""

import gc
from collections.abc import Iterator

import pytest

from keeper.bench import latency, peer, rebuild, screen
from keeper.bench._bot import Bot
from keeper.devnet.build import make_world


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """What a benchmark froze may be collected again."""
    yield
    gc.unfreeze()


def test_the_screen_misses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ROUNDS": 1, "EDGE_ACCOUNTS": 200, "PATH_STEPS": 60, "PLAIN": 500}.items():
        monkeypatch.setattr(screen, name, value)
    figures = screen.run(4_000)
    assert figures["false_negatives"] == figures["path_differences"] == figures["watch_differs_from_sweep"] == 0
    assert figures["edge_accounts"] == 200 * 8
    assert figures["edge_liquidatable"] > 400
    assert figures["liquidatable"] <= figures["flagged"]


def test_every_round_of_latency_ends_at_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "ROUNDS", 6)
    monkeypatch.setattr(latency, "UNCOUNTED", 2)
    monkeypatch.setattr(latency, "RESERVES", 6)
    monkeypatch.setattr(latency, "bot_seconds", lambda: ({"ask": 0.5, "sign": 0.5}, 250))
    figures = latency.run(2_000)
    assert figures["prepared"] > 0
    assert all(figures[f"{step}_us"] > 0 for step in (*latency.STEPS, "at_node", "presigned_at_node"))
    assert figures["bot_total_ms"] == 500 * 2_000 / 250 + 500


def test_the_bot_does_what_it_is_measured_for() -> None:
    with make_world("3.0.2") as world:
        bot = Bot(world)
        assert bot.parse()["args"]["current"] == 10**8  # type: ignore[index]
        assert bot.ask() == []
        for symbol in ("WETH", "WBTC", "LINK", "WSTETH"):
            world.set_price(symbol, world.price(symbol) * 60 // 100)
        weak = bot.ask()
        assert weak == [at for at, one in enumerate(bot._accounts) if world.account_data(one).health_factor < 10**18]
        assert weak
        bot.encode()
        bot.sign()
        bot.send()


def test_the_node_and_the_book_are_asked_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "ROUNDS", 1)
    monkeypatch.setattr(peer, "ASKED", 40)
    figures = peer.run(3_000)
    assert figures["asked_in_one_call"] == 40
    assert figures["liquidatable_after_the_fall"] >= figures["liquidatable_then"] >= 0
    assert figures["node_all_accounts_ms"] > 0


def test_lists_are_made_while_the_loop_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "PHASES", 1)
    monkeypatch.setattr(rebuild, "PHASE", 0.05)
    figures = rebuild.run(3_000)
    assert figures["lists_made"] > 0
