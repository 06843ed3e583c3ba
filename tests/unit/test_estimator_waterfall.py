"""The examples of docs/profit.md: the numbers in the text and in the pictures are the program's."""

from pathlib import Path

import pytest

from keeper.core.units import WAD
from keeper.reports.waterfall import bars, draw, examples, write

DOCS = Path(__file__).parents[2] / "docs"
DOLLAR = WAD // 2_000


def dollars(name: str) -> dict[str, str]:
    return {term: f"{wei / DOLLAR:,.2f}" for term, wei in bars(examples()[name].estimate)}


def test_examples_are_the_reference_s_numbers() -> None:
    assert dollars("deep") == {
        "bonus": "420.00",
        "protocol": "-42.00",
        "pool fees": "-26.33",
        "impact": "-7.65",
        "flash loan": "-4.20",
        "gas": "-24.00",
        "net": "315.81",
    }
    assert (dollars("cap")["net"], dollars("best")["net"]) == ("-43.44", "56.42")
    assert f"{examples()['best'].repay / 10**6:,.2f}" == "3,928.11"


@pytest.mark.parametrize("name", ["deep", "cap", "best"])
def test_bars_add_up(name: str) -> None:
    (_, bonus), *losses, (_, net) = bars(examples()[name].estimate)
    assert bonus + sum(wei for _, wei in losses) == net


def test_text_tells_the_same() -> None:
    text = (DOCS / "profit.md").read_text().replace("\N{MINUS SIGN}", "-")
    deep = dollars("deep")
    for number in deep.values():
        assert f"| {number} |" in text or f"**{number}**" in text, number
    for number in ("43.44", "56.42", "3,928.11", "8,744.01"):
        assert number in text


def test_pictures_hold_every_number(tmp_path: Path) -> None:
    write(tmp_path)
    for file, names in (("profit-deep.svg", ["deep"]), ("profit-thin.svg", ["cap", "best"])):
        drawn, tracked = ((folder / file).read_text() for folder in (tmp_path, DOCS / "img"))
        for name in names:
            for term, number in dollars(name).items():
                assert f">{number}<" in drawn, (file, term)
                assert f">{number}<" in tracked, (file, term)


def test_black_and_white_only() -> None:
    svg = draw([("x", examples()["deep"].estimate)], DOLLAR).decode()
    colours = {part[:7] for part in svg.split("#")[1:] if len(part) > 6}
    assert {colour[:6] for colour in colours if colour[6] in ';"'} <= {"000000", "ffffff"}
