"""The page of a simulated user study: self-contained HTML, no script, made from the study's JSON document alone."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from datasets.errors import RejectedInput

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5d6878; --line: #e1e5eb;
  --mark: #2563c9; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #303947; --mark: #79aaf7; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 20px;
  margin: 16px 0; overflow-x: auto; }
.soft { color: var(--soft); } h2 { font-size: 18px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); white-space: normal; vertical-align: bottom; }
td:first-child, th:first-child { text-align: left; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
.bar { fill: var(--mark); opacity: .75; } .goal { stroke: var(--soft); stroke-dasharray: 5 4; }
"""

_SHOWN = ("click", "box", "point", "stroke", "undo", "accept", "clear", "actions", "submit", "changed_pixels")


def annotator_page(document: Mapping[str, Any]) -> str:
    """The study of annotators as one HTML page.

    Args:
        document: The JSON document of `simulate_annotators --json`.

    Raises:
        RejectedInput: The document is not from `simulate_annotators`.
    """
    try:
        parts = [_overview(document["summary"]), *(_strategy(document, name) for name in document["strategies"])]
        rules = _rules(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise RejectedInput(
            "not-a-study",
            "This is not a document of simulate_annotators.",
            remedy="Write one with simulate_annotators --json.",
        ) from error
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Simulated annotators</title><style>{_STYLE}</style></head><body><main><h1>Simulated annotators</h1>"
        f"{''.join(parts)}{rules}</main></body></html>\n"
    )


def _overview(summary: Mapping[str, Any]) -> str:
    heads = ["", "Actions a case", "Strokes", "Prompts", "Submits", "Minutes", "Dice", "Worst Dice",
             "By hand / this", "with submits", "seconds", "Outlined / this", "with submits", "seconds"]  # fmt: skip
    arms = {"By hand": summary["by_hand"], "By hand, outlined": summary["outlined"], **summary["strategies"]}
    rows = [[escape(name), *_arm_cells(arm)] for name, arm in arms.items() if arm is not None]
    note = f"{summary['cases']} case(s), {summary['slices']} slices with tumour. Ratios are means over the cases."
    return f'<section><h2>Overview</h2><p class="soft">{note}</p>{_table(heads, rows)}</section>'


def _arm_cells(arm: Mapping[str, Any]) -> list[str]:
    names = [f"ratio{of}{what}" for of in ("", "_outlined") for what in ("", "_with_submits", "_seconds")]
    ratios = [f"{arm[name]['mean']:.2f}" if name in arm else "–" for name in names]
    return [
        *(f"{arm[name]:.1f}" for name in ("actions", "stroke", "prompts", "submit")),
        f"{arm['seconds'] / 60:.1f}",
        f"{arm['dice']:.3f}",
        f"{arm['dice_worst']:.3f}",
        *ratios,
    ]


def _strategy(document: Mapping[str, Any], name: str) -> str:
    heads = ["Case", "Slices", *(each.replace("_", " ") for each in _SHOWN), "Seconds", "Dice", "Strokes by hand",
             "Seconds by hand", "Strokes outlined", "By hand / this", "with submits", "Outlined / this"]  # fmt: skip
    rows = []
    for row in sorted(document["cases"], key=lambda each: each["strategies"][name]["ratio"]):
        own, hand = row["strategies"][name], row["by_hand"]
        rows.append(
            [
                escape(str(row["case"])),
                str(row["slices"]),
                *(str(own[each]) for each in _SHOWN),
                f"{own['seconds']:.0f}",
                f"{own['dice']:.3f}",
                str(hand["stroke"]),
                f"{hand['seconds']:.0f}",
                str(row["outlined"]["stroke"]),
                *(f"{own[ratio]:.2f}" for ratio in ("ratio", "ratio_with_submits", "ratio_outlined")),
            ]
        )
    figure = _bars([(str(row["case"]), row["strategies"][name]["ratio"]) for row in document["cases"]])
    return f"<section><h2>{escape(name)}</h2>{figure}{_table(heads, rows)}</section>"


def _bars(ratios: Sequence[tuple[str, float]]) -> str:
    """Bars: actions by hand divided by actions with help, case by case, with a line at five."""
    ordered = sorted(ratios, key=lambda each: each[1])
    top, width, height = max(6.0, ordered[-1][1] if ordered else 0.0), 760.0, 200.0
    step = (width - 40) / max(len(ordered), 1)
    bars = "".join(
        f'<rect class="bar" x="{40 + place * step:.1f}" y="{180 - ratio / top * 160:.1f}" width="{step * 0.8:.1f}" '
        f'height="{ratio / top * 160:.1f}"><title>{escape(case)}: {ratio:.2f}</title></rect>'
        for place, (case, ratio) in enumerate(ordered)
    )
    lines = "".join(
        f'<path {mark} d="M40 {180 - at / top * 160:.1f}H{width:g}" stroke="currentColor" stroke-opacity=".3"/>'
        f'<text x="30" y="{184 - at / top * 160:.1f}" text-anchor="end">{at}</text>'
        for at, mark in ((0, ""), (1, ""), (5, 'class="goal"'))
    )
    label = "Actions by hand divided by actions with help, case by case"
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">{lines}{bars}</svg>'


def _rules(document: Mapping[str, Any]) -> str:
    rules = document["rules"]
    seconds = ", ".join(f"{name} {value:g} s" for name, value in rules["seconds"].items())
    lines = [
        f"Models: {', '.join(f'{name}: {title}' for name, title in document['models'].items()) or 'none'}.",
        f"Actions are: {', '.join(rules['counted'])}. Submits and openings are the same in both arms.",
        f"Seconds (Keystroke-Level Model): {seconds}; a stroke also takes the seconds of its path.",
        f"Brush: {rules['hand']}. Good enough: {rules['good_enough']}. Seed: {rules['seed']}.",
        *document["findings"],
    ]
    return "<section><h2>Rules</h2>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</section>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
