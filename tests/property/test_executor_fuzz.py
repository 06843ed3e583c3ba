"""No sequence of events loses a token, leaves an approval or lets a stranger gain: seeded walks on real contracts."""

from collections.abc import Iterator
from typing import Final

import pytest

from keeper.devnet.build import make_world
from tests.property.executor_walk import Walk

STEPS: Final = 40


@pytest.fixture
def walk(request: pytest.FixtureRequest, seed: int) -> Iterator[Walk]:
    with make_world() as world:
        yield Walk(world, seed + request.param)


def walked(walk: Walk, steps: int) -> None:
    for _ in range(steps):
        walk.step()
        walk.check()


@pytest.mark.parametrize("walk", range(3), indirect=True)
def test_no_sequence_loses_anything(walk: Walk) -> None:
    walked(walk, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("walk", range(100, 110), indirect=True)
def test_no_long_sequence_loses_anything(walk: Walk) -> None:
    walked(walk, 8 * STEPS)
    assert walk.landed > 0
    assert walk.mutants > 0
    assert walk.shared > 0
