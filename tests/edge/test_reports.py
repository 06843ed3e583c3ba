"""What is drawn and written: pictures that are whole, pages that need nothing else, options that are refused."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest

from keeper.commands.report import ASKING, PAGES, tell
from keeper.commands.report_flags import OPTIONS, REPORTS
from keeper.errors import ConfigError
from keeper.reports.cascade import cascade
from keeper.reports.ladder import falls, ladder
from keeper.reports.pages import cascade as cascade_page
from keeper.reports.pages import ladder as ladder_page
from keeper.reports.pages.html import html
from keeper.reports.pages.page import Page, Sheet
from keeper.reports.pages.paint import DPI, WIDE, painted
from keeper.store.recording import parquet
from tests.edge.command import keeper, said
from tests.unit.report_world import WETH, depth, reference

ROOT = Path(__file__).parents[2]
SMALL = 150_000  # bytes


def test_every_report_is_explained_shown_and_small() -> None:
    text = (ROOT / "docs" / "risk.md").read_text(encoding="utf-8")
    assert {*PAGES, *ASKING, "replay"} == set(REPORTS)
    for name in REPORTS:
        assert f"\n## {name}\n" in text
        picture = ROOT / "docs" / "img" / f"risk-{name}.svg"
        if name not in ("missed", "replay"):
            assert f"(img/risk-{name}.svg)" in text
            assert picture.stat().st_size < SMALL
            assert picture.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert {report for option in OPTIONS for report in option.reports} <= set(REPORTS)


def test_a_page_needs_nothing_else_and_escapes_what_came_from_a_chain() -> None:
    snap = reference().snapshot(depth(1_000))
    drawn = cascade_page.page(snap, cascade(snap, {WETH.address: 0.97}))
    text = html([drawn, Page("x", "<b>", "&", ("", ""), [Sheet("s", [("<i>", "left")], [("<script>",)])], [])])
    assert "<svg" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "href=" not in text.replace("xlink:href", "").replace("xlink:", "")
    assert "block 100" in text


def test_pictures_are_a_thousand_pixels_wide_and_the_same_again() -> None:
    snap = reference().snapshot()
    found = ladder(snap, [WETH.address], falls(10, 0.5))
    page = ladder_page.page(snap, found, {WETH.address: found})
    assert page.draw is not None
    assert painted(page.draw) == painted(page.draw)
    png = painted(page.draw, "png")
    assert int.from_bytes(png[16:20], "big") == WIDE * DPI == 1_000


@pytest.mark.parametrize(("module", "asked"), [("matplotlib", "picture"), ("pyarrow.parquet", "recordings")])
def test_a_missing_extra_says_how_to_install_it(module: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'keeper\[reports\]'") as raised:
        parquet() if module.startswith("pyarrow") else painted(lambda _: None)
    assert asked in str(raised.value)


def test_options_of_other_reports_are_refused_all_at_once(tmp_path: Path) -> None:
    config = tmp_path / "keeper.toml"
    config.write_text('[chain]\nid = 1\nrpc = ["http://127.0.0.1:1"]\n', encoding="utf-8")
    done = keeper("report", "eta", "--config", str(config), "--paths", "3", "--shock", "X=-5%", "--plot", "x.jpg")
    assert (done.returncode, done.stdout) == (2, "")
    lines = said(done)
    assert [line.split(":")[1].strip() for line in lines] == ["--paths", "--shock", "--plot x.jpg"]
    assert keeper("report", "nothing", "--config", str(config)).returncode == 2
    alone = keeper("report", "replay", "--config", str(config))
    assert alone.returncode == 2
    assert "--recording" in said(alone)[0]


def test_a_picture_of_two_markets_asks_which() -> None:
    snap = reference().snapshot()
    page = ladder_page.page(snap, ladder(snap, [WETH.address], falls(4, 0.4)), {})
    with pytest.raises(ConfigError, match="choose one by --market"):
        tell([page, page], Namespace(plot=Path("x.svg"), html=None, json=False))
