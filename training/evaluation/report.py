"""The page of one evaluation or of several side by side: self-contained HTML, no script, light and dark.

Made from the JSON documents alone, so that results of another machine, or of last year, can be compared with new ones.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.evaluation.report_figures import Curve, bland_altman_plot, dice_by_case, dice_curves
from training.measures.comparison import (
    Document,
    clicks_in_words,
    compare_evaluations,
    makes_one_request,
    not_an_evaluation,
    titles,
)

_SHOWN_CLICKS = (0, 1, 5, 10)
_NOTHING = "–"

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
.limit { stroke: var(--soft); stroke-dasharray: 5 4; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 8px; padding: 0; list-style: none; }
.legend li::before { content: ""; display: inline-block; width: 18px; height: 3px; border-radius: 2px;
  margin-right: 8px; background: var(--c); vertical-align: middle; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; } dt { color: var(--soft); }
dd { margin: 0; }
"""


def report_page(documents: Sequence[Document]) -> str:
    """One page for one evaluation or several; several are compared case by case.

    Args:
        documents: From `Evaluation.as_dict`, or the same read from JSON.

    Raises:
        RejectedInput: There is no document, or one is no evaluation.
    """
    if not documents:
        raise not_an_evaluation()
    names = titles(documents)
    try:
        several = _several(documents, names) if len(documents) > 1 else ""
        parts = "".join(_one(document, name) for document, name in zip(documents, names, strict=True))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise not_an_evaluation() from error
    title = "Evaluation" if len(documents) == 1 else f"Evaluation of {len(documents)} models"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{several}{parts}</main></body></html>\n"
    )


def _several(documents: Sequence[Document], names: Sequence[str]) -> str:
    """Several models: mean curves in one figure, results in one table, and the tests between them."""
    named = list(zip(documents, names, strict=True))
    shown = [_curve(found, name, cases=False) for found, name in named if found["cases"] and _is_curve(found)]
    content = ""
    if shown:
        legend = "".join(f'<li class="m{place % 6}">{escape(curve.title)}</li>' for place, curve in enumerate(shown))
        figure = dice_curves(shown)
        content += _card("Mean Dice against clicks", f'<ul class="legend">{legend}</ul>{figure}')
    lines = ["Cases", "One request", *(clicks_in_words(count) for count in _SHOWN_CLICKS), "Mean of 1–10 clicks",
             "Worst case at last", "Median clicks to 0.85", "Median clicks to 0.90", "Volume r",
             "Diameter r"]  # fmt: skip
    columns = [_overview(document) for document in documents]
    table = _table(["", *map(escape, names)], [[line, *row] for line, *row in zip(lines, *columns, strict=True)])
    content += _card("Dice, mean ± standard deviation over cases", table)
    tests = compare_evaluations(documents)
    if tests:
        content += _card("Differences on shared cases", _tests(tests))
    return content


def _overview(document: Document) -> list[str]:
    """A model's column of the table."""
    summary = document["summary"]
    worst, needed = summary["worst"], summary["clicks_to_dice"]
    average = summary["average_1_to_10"]["dice"]
    single = makes_one_request(document)
    return [
        str(int(summary["evaluated"])),
        _mean_at(summary, summary["clicks"][0]) if single else _NOTHING,
        *(_NOTHING if single else _mean_at(summary, count) for count in _SHOWN_CLICKS),
        _spread(average["mean"], average["sd"]),
        _number(worst and worst["dice"]),
        *(_NOTHING if single else _reached(needed[goal]) for goal in ("0.85", "0.90")),
        *(_number(summary["agreement"][size]["pearson_r"]) for size in ("volume_ml", "diameter_mm")),
    ]


def _tests(tests: Sequence[Any]) -> str:
    heads = ["First", "Second", "Measure", "Cases", "First − second", "t-test p", "adjusted", "Wilcoxon p", "adjusted"]
    rows = [
        [
            escape(test.first),
            escape(test.second),
            escape(test.measure),
            str(test.found.n),
            _spread(test.found.mean_difference, test.found.sd_difference),
            *(_p(value) for value in (test.found.t_test_p, test.found.t_test_adjusted)),
            *(_p(value) for value in (test.found.wilcoxon_p, test.found.wilcoxon_adjusted)),
        ]
        for test in tests
    ]
    note = (
        '<p class="soft">Two-sided paired tests; adjusted after Benjamini and Hochberg over all rows of this table.</p>'
    )
    return note + _table(heads, rows, words=3)


def _one(document: Document, name: str) -> str:
    """The section of one model."""
    summary = document["summary"]
    head = f'<h2>{escape(name)}</h2><p class="soft">{escape(str(summary["about"]))}</p>'
    if not document["cases"]:
        return head + _refused(summary)
    return "".join(
        (
            head,
            _tiles(summary),
            _dice_figure(document, name),
            _sizes(summary),
            _card("Cases", _case_table(document)),
            _refused(summary),
            _card("How it was measured", _method(summary)),
        )
    )


def _tiles(summary: Mapping[str, Any]) -> str:
    """The main results, as large figures."""
    shown = [count for count in _SHOWN_CLICKS if count in summary["clicks"]]
    found = [(f"Dice, {clicks_in_words(count)}", _mean_at(summary, count)) for count in shown]
    if len(summary["clicks"]) == 1:
        found = [("Dice", _mean_at(summary, summary["clicks"][0]))]
    average = summary["average_1_to_10"]["dice"]
    if average["n"]:
        found.append(("Dice, mean of 1 to 10 clicks", _spread(average["mean"], average["sd"])))
    worst = summary["worst"]
    after = f", {clicks_in_words(worst['clicks'])}" if len(summary["clicks"]) > 1 else ""
    found.append((f"worst Dice{after}: {worst['case']}", _number(worst["dice"])))
    later = summary["later_request_seconds"] or summary["first_request_seconds"]
    what = "later requests" if summary["later_request_seconds"] else "requests"
    found.append((f"95 % of {what} within", f"{later['p95']:.2f} s"))
    return f'<div class="tiles">{"".join(_tile(words, value) for words, value in found)}</div>'


def _tile(words: str, value: str) -> str:
    """A large figure with its spread and its title."""
    mean, _, spread = value.partition(" ± ")
    small = f"<small>± {spread}</small>" if spread else ""
    return f'<div class="tile"><b>{mean}{small}</b><span>{escape(words)}</span></div>'


def _dice_figure(document: Document, name: str) -> str:
    if len(_clicks(document)) == 1:
        return _card(
            "Dice of every case", dice_by_case([(case["case"], case["dice"][0]) for case in document["cases"]])
        )
    note = '<p class="soft">Thick: mean over cases. Band: one standard deviation. Thin: the cases.</p>'
    return _card("Dice against clicks", note + dice_curves([_curve(document, name, cases=True)]))


def _curve(document: Document, name: str, *, cases: bool) -> Curve:
    dice = document["summary"]["dice"]
    lines = {str(case["case"]): case["dice"] for case in document["cases"]} if cases else {}
    return Curve(name, _clicks(document), dice["mean"], dice["sd"], lines)


def _sizes(summary: Mapping[str, Any]) -> str:
    """Volume and diameter after the last click against the masks'."""
    content = ""
    for size, unit, words in (("volume_ml", "ml", "Volume"), ("diameter_mm", "mm", "Transverse diameter")):
        found = summary["agreement"][size]
        sizes = [(str(each["case"]), each[size], each[f"reference_{size}"]) for each in summary["sizes"]]
        limits = f"limits {_number(found['lower'], 1)} to {_number(found['upper'], 1)} {unit}"
        line = f"bias {_number(found['bias'], 1)} {unit}, {limits}, r = {_number(found['pearson_r'])}"
        plot = bland_altman_plot(sizes, found, unit=unit)
        content += f'<section class="card"><h3>{words}</h3><p class="soft">{line}</p>{plot}</section>'
    return f'<div class="pair">{content}</div>'


def _case_table(document: Document) -> str:
    clicks = _clicks(document)
    shown = [count for count in _SHOWN_CLICKS if count in clicks] or list(clicks[-1:])
    single = makes_one_request(document)
    heads = ["Case", *("Dice" if single else clicks_in_words(count) for count in shown), "ASSD (mm)", "HD95 (mm)",
             "Surface Dice 1 mm", "Volume (ml)", "of mask", "Diameter (mm)", "of mask", "Seconds"]  # fmt: skip
    sizes = {each["case"]: each for each in document["summary"]["sizes"]}
    rows = []
    for case in sorted(document["cases"], key=lambda found: found["dice"][-1]):
        size = sizes[case["case"]]
        seconds = [value for value in case["seconds"] if value is not None]
        rows.append(
            [
                escape(str(case["case"])),
                *(_number(case["dice"][clicks.index(count)]) for count in shown),
                _number(case["assd_mm"][-1], 2),
                _number(case["hd95_mm"][-1], 1),
                _number(case["surface_dice_1mm"][-1]),
                *(_number(size[f"{of}volume_ml"], 1) for of in ("", "reference_")),
                *(_number(size[f"{of}diameter_mm"], 0) for of in ("", "reference_")),
                _number(sum(seconds) / len(seconds), 2),
            ]
        )
    after = "" if single else f" Distances, surface Dice and sizes after {clicks[-1]} clicks; seconds a request."
    return f'<p class="soft">Worst first.{after}</p>' + _table(heads, rows)


def _refused(summary: Mapping[str, Any]) -> str:
    if not summary["refused"]:
        return ""
    rows = [[escape(str(each[key])) for key in ("case", "message", "remedy", "code")] for each in summary["refused"]]
    return _card(
        "Cases that were refused",
        f'<div class="prose">{_table(["Case", "Why", "What to do", "Code"], rows, words=4)}</div>',
    )


def _method(summary: Mapping[str, Any]) -> str:
    slices = "each slice with enough tumour on its own" if summary["per_slice"] else "each case as a volume"
    if summary["slices_per_case"]:
        slices += f", at most {summary['slices_per_case']} a case"
    lines = {
        "Simulated user": summary["user"],
        "Seeds": ", ".join(str(seed) for seed in summary["seeds"]),
        "Sessions": f"{summary['sessions']}, {slices}",
        "Empty masks": f"{summary['empty'][-1]} of {summary['sessions']} after the last click; without distances",
        "Median clicks to 0.85": _reached(summary["clicks_to_dice"]["0.85"]),
        "Median clicks to 0.90": _reached(summary["clicks_to_dice"]["0.90"]),
        "First requests": _times(summary["first_request_seconds"]),
        "Later requests": _times(summary["later_request_seconds"]),
    }
    return "<dl>" + "".join(f"<dt>{key}</dt><dd>{escape(str(value))}</dd>" for key, value in lines.items()) + "</dl>"


def _times(seconds: Mapping[str, Any] | None) -> str:
    if seconds is None:
        return _NOTHING
    return f"median {seconds['median']:.2f} s, 95 % within {seconds['p95']:.2f} s ({seconds['n']} requests)"


def _reached(needed: Mapping[str, Any]) -> str:
    """The median number of clicks, and how many of all cases reached the Dice."""
    median = "never" if needed["median"] is None else f"{needed['median']:g}"
    return f"{median} ({needed['reached']:d} of {needed['of']:d})"


def _mean_at(summary: Mapping[str, Any], count: int) -> str:
    if count not in summary["clicks"]:
        return _NOTHING
    place = summary["clicks"].index(count)
    return _spread(summary["dice"]["mean"][place], summary["dice"]["sd"][place])


def _is_curve(document: Document) -> bool:
    return not makes_one_request(document)


def _clicks(document: Document) -> list[int]:
    return [int(count) for count in document["summary"]["clicks"]]


def _spread(mean: float | None, sd: float | None) -> str:
    return _number(mean) if sd is None else f"{_number(mean)} ± {_number(sd)}"


def _number(value: float | None, digits: int = 3) -> str:
    return _NOTHING if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # no minus 0


def _p(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


def _card(title: str, content: str) -> str:
    return f'<section class="card"><h3>{escape(title)}</h3>{content}</section>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """A table of cells that are escaped already; the first `words` columns are text."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = [' class="words"' if place < words else "" for place in range(len(row))]
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", heads)}</tr></thead><tbody>{body}</tbody></table></div>'
