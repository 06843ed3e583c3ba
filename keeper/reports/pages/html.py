"""Reports as one page that needs nothing else: tables and pictures inline.

Law: whatever came from a chain is escaped.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from keeper.reports.pages.page import Page, Sheet
from keeper.reports.pages.paint import painted

STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1040px;padding:0 1em;color:#111}"
    "h1{font-size:1.3em}h2{font-size:1.05em;margin-top:1.6em}.headline{font-size:1.2em;font-weight:600}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.6em 0}"
    "td,th{padding:.15em .8em;border-bottom:1px solid #ddd;white-space:nowrap}"
    ".right{text-align:right}.left{text-align:left}.wide{overflow-x:auto}p.terms{color:#555}svg{width:100%;height:auto}"
)


def html(pages: Sequence[Page]) -> str:
    """All of them in one document."""
    title = escape(pages[0].title if pages else "keeper")
    body = "\n".join(_section(page) for page in pages)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _section(page: Page) -> str:
    terms = "".join(f"<p class=terms>{escape(line)}</p>" for line in (*page.terms, f"More: {page.link}"))
    tables = "\n".join(_table(sheet) for sheet in page.sheets)
    return (
        f"<h1>{escape(page.title)}</h1><p class=headline>{escape(page.headline)}</p>\n{_picture(page)}{tables}\n{terms}"
    )


def _picture(page: Page) -> str:
    if page.draw is None:
        return ""
    drawn = painted(page.draw).decode()
    return drawn[drawn.index("<svg") :]


def _table(sheet: Sheet) -> str:
    head = "".join(f"<th class={side}>{escape(name)}</th>" for name, side in sheet.columns)
    sides = [side for _, side in sheet.columns]
    rows = "".join(
        "<tr>"
        + "".join(f"<td class={side}>{escape(cell)}</td>" for side, cell in zip(sides, row, strict=True))
        + "</tr>"
        for row in sheet.rows
    )
    return f"<h2>{escape(sheet.title)}</h2><div class=wide><table><tr>{head}</tr>{rows}</table></div>"
