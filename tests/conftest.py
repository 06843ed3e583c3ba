"""Fixtures of the local world. Every node started here is ended here, by its pid."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, settings

from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.build import make_world as new_world
from keeper.devnet.world import World
from tests.leaks import leaks_of

SEED: Final = int(os.environ.get("KEEPER_TEST_SEED", "20260101"))
settings.register_profile(  # a busy machine is no finding; what was found is printed so that it can be run again
    "keeper", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("keeper")
MakeAnvil: TypeAlias = Callable[..., Anvil]
MakeWorld: TypeAlias = Callable[..., World]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: children would ignore it as well
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"seed: {SEED} (set KEEPER_TEST_SEED for another)"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs Aave compiled from source belongs to the slow tier."""
    for item in items:
        if "world_36" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No test of the whole suite logs a key, a credential or a raw transaction; one that does has failed."""
    report = yield
    if report.when == "call" and report.passed and not item.get_closest_marker("spills"):
        found = leaks_of(report.sections, getattr(item, "funcargs", {}).get("tmp_path"))
        if found:
            report.outcome = "failed"
            report.longrepr = "secrets in what was logged:\n" + "\n".join(found[:20])
    return report


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of all randomness in tests."""
    return SEED


@pytest.fixture
def make_anvil() -> Iterator[MakeAnvil]:
    """``make_anvil(block_time=1, …)``: a bare node with the given ``AnvilOptions``."""
    nodes: list[Anvil] = []

    def make(**options: object) -> Anvil:
        nodes.append(Anvil(AnvilOptions(**options)))  # type: ignore[arg-type]
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()


@pytest.fixture
def make_world() -> Iterator[MakeWorld]:
    """``make_world("3.0.2", no_mining=True, …)``: a world on a node with the given ``AnvilOptions``."""
    worlds: list[World] = []

    def make(version: str = "3.0.2", **options: object) -> World:
        worlds.append(new_world(version, AnvilOptions(**options)))  # type: ignore[arg-type]
        return worlds[-1]

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def anvil(make_anvil: MakeAnvil) -> Anvil:
    """A bare node."""
    return make_anvil()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Aave 3.0.2, Uniswap and feeds on a node of its own."""
    return make_world("3.0.2")


@pytest.fixture
def world_36(make_world: MakeWorld) -> World:
    """Aave 3.6; a test that asks for it is slow."""
    return make_world("3.6")


@pytest.fixture(params=["3.0.2", pytest.param("3.6", marks=pytest.mark.slow)])
def any_world(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    """Each version in turn; the slow tier has all of them."""
    return make_world(request.param)
