"""What watches every test for secrets would notice them."""

from pathlib import Path

import pytest

from tests.leaks import KEYS_OF_TESTS, leaks, leaks_of

pytestmark = pytest.mark.spills


@pytest.mark.parametrize(
    "line",
    [
        f"signing with {min(KEYS_OF_TESTS)}",
        f"0x{max(KEYS_OF_TESTS).upper()}",
        "sent 0x02f8" + "ab" * 120,
        "asking http://me:letmein@node.example/",
        "asking https://node.example/v2?apikey=abcdefgh1234",
    ],
)
def test_a_secret_is_noticed_wherever_it_is(line: str, tmp_path: Path) -> None:
    assert list(leaks(f"before\n{line}\nafter"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "run.log").write_text(line, encoding="utf-8")
    assert leaks_of([], tmp_path)
    assert leaks_of([("Captured stdout call", line)], None)


def test_ordinary_lines_are_no_secrets(tmp_path: Path) -> None:
    line = "tx 0x" + "11" * 32 + " at https://***@node.example/?apikey=*** block 0x" + "02f8" * 8
    assert leaks_of([("Captured stdout call", line)], tmp_path) == []
