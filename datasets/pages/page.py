"""The pieces of self-contained pages: style sheet, cards, tables; no script, light and dark."""

from collections.abc import Sequence
from html import escape

NOTHING = "–"

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5d6878; --line: #e1e5eb;
  --m0: #2563c9; --m1: #c2570c; --m2: #1f7a4d; --m3: #7c4bc9; --m4: #b8324b; --m5: #0b7a86; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #303947; --m0: #79aaf7; --m1: #f0a063; --m2: #6fcf9c; --m3: #bb9af5; --m4: #f08a9d; --m5: #5fcbd6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 40px 0 4px; } h1 + h2 { margin-top: 12px; }
h3 { font-size: 15px; margin: 24px 0 8px; } p { margin: 4px 0 12px; max-width: 90ch; }
.soft { color: var(--soft); }
section.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 20px;
  margin: 16px 0; }
section.card h3:first-child { margin-top: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 12px; margin: 16px 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tile b { display: block; font-size: 23px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span, .tile small { color: var(--soft); font-size: 13px; font-weight: 400; display: block; }
.tile span { color: var(--ink); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 16px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
td.words, th.words { text-align: left; } .prose td { white-space: normal; }
tbody tr:last-child td { border-bottom: 0; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); fill: none; } .axis { font-size: 13px; }
.m0 { --c: var(--m0); } .m1 { --c: var(--m1); } .m2 { --c: var(--m2); } .m3 { --c: var(--m3); } .m4 { --c: var(--m4); }
.m5 { --c: var(--m5); }
.mean { stroke: var(--c); stroke-width: 2.5; fill: none; } .point { fill: var(--c); }
.case { stroke: var(--c); stroke-width: 1; fill: none; opacity: .38; } .case:hover { opacity: 1; stroke-width: 2.5; }
.band { fill: var(--c); opacity: .13; } .dot { fill: var(--c); opacity: .75; }
.whisker { stroke: var(--c); stroke-width: 1.2; fill: none; }
.limit { stroke: var(--soft); stroke-dasharray: 5 4; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 8px; padding: 0; list-style: none; }
.legend li::before { content: ""; display: inline-block; width: 18px; height: 3px; border-radius: 2px;
  margin-right: 8px; background: var(--c); vertical-align: middle; }
.gallery { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; }
.gallery figure { margin: 0; max-width: 460px; } .gallery img { width: 100%; border-radius: 6px; display: block; }
.gallery figcaption { color: var(--soft); font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; } dt { color: var(--soft); }
dd { margin: 0; }
a { color: var(--m0); overflow-wrap: anywhere; } code { overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px;
  overflow-x: auto; }
"""


def whole_page(title: str, content: str) -> str:
    """One self-contained HTML page.

    Args:
        title: Plain text.
        content: HTML below the title.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f"{content}</main></body></html>\n"
    )


def card(title: str, content: str) -> str:
    """A section with a title (plain text) around HTML."""
    return f'<section class="card"><h3>{escape(title)}</h3>{content}</section>'


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1, label: str = "") -> str:
    """A table of cells that are escaped already.

    Args:
        heads: Of the columns.
        rows: A cell for each column.
        words: How many columns at the left are text.
        label: What the table is, in plain text, for those who go through the page by keyboard: they may then scroll it.
    """

    def cells(tag: str, row: Sequence[str], more: str = "") -> str:
        kinds = [' class="words"' if place < words else "" for place in range(len(row))]
        return "".join(f"<{tag}{more}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = cells("th", heads, ' scope="col"')
    region = f' role="region" tabindex="0" aria-label="{escape(label)}"' if label else ""
    return f'<div class="wide"{region}><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
