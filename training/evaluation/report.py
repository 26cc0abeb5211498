"""The page of one evaluation or of several side by side: self-contained HTML, no script, light and dark.

Made from the JSON documents alone, so that results of another machine, or of last year, can be compared with new ones.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from datasets.pages.numbers import number, p_value, spread
from datasets.pages.page import NOTHING, card, html_table, whole_page
from training.evaluation.report_figures import Curve, bland_altman_plot, dice_by_case, dice_curves
from training.evaluation.results import cleanings_in_words
from training.measures.comparison import (
    Document,
    clicks_in_words,
    compare_evaluations,
    makes_one_request,
    not_an_evaluation,
    titles,
)

_SHOWN_CLICKS = (0, 1, 5, 10)


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
    return whole_page(title, several + parts)


def _several(documents: Sequence[Document], names: Sequence[str]) -> str:
    """Several models: mean curves in one figure, results in one table, and the tests between them."""
    named = list(zip(documents, names, strict=True))
    shown = [_curve(found, name, cases=False) for found, name in named if found["cases"] and _is_curve(found)]
    content = ""
    if shown:
        legend = "".join(f'<li class="m{place % 6}">{escape(curve.title)}</li>' for place, curve in enumerate(shown))
        figure = dice_curves(shown)
        content += card("Mean Dice against clicks", f'<ul class="legend">{legend}</ul>{figure}')
    lines = ["Cases", "One request", *(clicks_in_words(count) for count in _SHOWN_CLICKS), "Mean of 1–10 clicks",
             "Worst case at last", "Median clicks to 0.85", "Median clicks to 0.90", "Volume r",
             "Diameter r"]  # fmt: skip
    columns = [_overview(document) for document in documents]
    table = html_table(["", *map(escape, names)], [[line, *row] for line, *row in zip(lines, *columns, strict=True)])
    content += card("Dice, mean ± standard deviation over cases", table)
    tests = compare_evaluations(documents)
    if tests:
        content += card("Differences on shared cases", _tests(tests))
    return content


def _overview(document: Document) -> list[str]:
    """A model's column of the table."""
    summary = document["summary"]
    worst, needed = summary["worst"], summary["clicks_to_dice"]
    average = summary["average_1_to_10"]["dice"]
    single = makes_one_request(document)
    return [
        str(int(summary["evaluated"])),
        _mean_at(summary, summary["clicks"][0]) if single else NOTHING,
        *(NOTHING if single else _mean_at(summary, count) for count in _SHOWN_CLICKS),
        spread(average["mean"], average["sd"]),
        number(worst and worst["dice"]),
        *(NOTHING if single else _reached(needed[goal]) for goal in ("0.85", "0.90")),
        *(number(summary["agreement"][size]["pearson_r"]) for size in ("volume_ml", "diameter_mm")),
    ]


def _tests(tests: Sequence[Any]) -> str:
    heads = ["First", "Second", "Measure", "Patients", "Cases without", "First − second", "t-test p", "adjusted",
             "Wilcoxon p", "adjusted"]  # fmt: skip
    rows = [
        [
            escape(test.first),
            escape(test.second),
            escape(test.measure),
            str(test.found.n),
            str(test.without),
            spread(test.found.mean_difference, test.found.sd_difference),
            *(p_value(value) for value in (test.found.t_test_p, test.found.t_test_adjusted)),
            *(p_value(value) for value in (test.found.wilcoxon_p, test.found.wilcoxon_adjusted)),
        ]
        for test in tests
    ]
    note = (
        "Two-sided paired tests over patients (the mean of a patient's cases), adjusted after Benjamini and Hochberg "
        "over all rows of this table. Without: cases for which one of the two has no value, such as a distance where "
        "it drew nothing; they are in no test."
    )
    return f'<p class="soft">{note}</p>' + html_table(heads, rows, words=3)


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
            card("Cases", _case_table(document)),
            _refused(summary),
            card("How it was measured", _method(summary)),
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
        found.append(("Dice, mean of 1 to 10 clicks", spread(average["mean"], average["sd"])))
    worst = summary["worst"]
    after = f", {clicks_in_words(worst['clicks'])}" if len(summary["clicks"]) > 1 else ""
    found.append((f"worst Dice{after}: {worst['case']}", number(worst["dice"])))
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
        return card("Dice of every case", dice_by_case([(case["case"], case["dice"][0]) for case in document["cases"]]))
    note = '<p class="soft">Thick: mean over cases. Band: one standard deviation. Thin: the cases.</p>'
    return card("Dice against clicks", note + dice_curves([_curve(document, name, cases=True)]))


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
        limits = f"limits {number(found['lower'], 1)} to {number(found['upper'], 1)} {unit}"
        line = f"bias {number(found['bias'], 1)} {unit}, {limits}, r = {number(found['pearson_r'])}"
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
                *(number(case["dice"][clicks.index(count)]) for count in shown),
                number(case["assd_mm"][-1], 2),
                number(case["hd95_mm"][-1], 1),
                number(case["surface_dice_1mm"][-1]),
                *(number(size[f"{of}volume_ml"], 1) for of in ("", "reference_")),
                *(number(size[f"{of}diameter_mm"], 0) for of in ("", "reference_")),
                number(sum(seconds) / len(seconds), 2),
            ]
        )
    after = "" if single else f" Distances, surface Dice and sizes after {clicks[-1]} clicks; seconds a request."
    return f'<p class="soft">Worst first.{after}</p>' + html_table(heads, rows)


def _refused(summary: Mapping[str, Any]) -> str:
    if not summary["refused"]:
        return ""
    rows = [[escape(str(each[key])) for key in ("case", "message", "remedy", "code")] for each in summary["refused"]]
    return card(
        "Cases that were refused",
        f'<div class="prose">{html_table(["Case", "Why", "What to do", "Code"], rows, words=4)}</div>',
    )


def _method(summary: Mapping[str, Any]) -> str:
    slices = "each slice with enough tumour on its own" if summary["per_slice"] else "each case as a volume"
    if summary["slices_per_case"]:
        slices += f", at most {summary['slices_per_case']} a case"
    lines = {
        "Simulated user": summary["user"],
        "Seeds": ", ".join(str(seed) for seed in summary["seeds"]),
        "Sessions": f"{summary['sessions']}, {slices}",
        **_misses(summary),
        **_cleanings(summary),
        "Empty masks": f"{summary['empty'][-1]} of {summary['sessions']} after the last click; without distances",
        "Median clicks to 0.85": _reached(summary["clicks_to_dice"]["0.85"]),
        "Median clicks to 0.90": _reached(summary["clicks_to_dice"]["0.90"]),
        "First requests": _times(summary["first_request_seconds"]),
        "Later requests": _times(summary["later_request_seconds"]),
    }
    return "<dl>" + "".join(f"<dt>{key}</dt><dd>{escape(str(value))}</dd>" for key, value in lines.items()) + "</dl>"


def _misses(summary: Mapping[str, Any]) -> dict[str, str]:
    """How many cases were missed in the end; evaluations of earlier versions do not say."""
    if not (found := summary.get("misses")):
        return {}
    return {"Misses": f"{found['cases'][-1]} of {summary['evaluated']} case(s) with a Dice below {found['below']}"}


def _cleanings(summary: Mapping[str, Any]) -> dict[str, str]:
    """How masks of folds were cleaned; of one model its package says it."""
    found = summary.get("cleanings")
    return {} if found is None else {"Post-processing": cleanings_in_words(found)}


def _times(seconds: Mapping[str, Any] | None) -> str:
    if seconds is None:
        return NOTHING
    return f"median {seconds['median']:.2f} s, 95 % within {seconds['p95']:.2f} s ({seconds['n']} requests)"


def _reached(needed: Mapping[str, Any]) -> str:
    """The median number of clicks, and how many of all cases reached the Dice."""
    median = "never" if needed["median"] is None else f"{needed['median']:g}"
    return f"{median} ({needed['reached']:d} of {needed['of']:d})"


def _mean_at(summary: Mapping[str, Any], count: int) -> str:
    if count not in summary["clicks"]:
        return NOTHING
    place = summary["clicks"].index(count)
    return spread(summary["dice"]["mean"][place], summary["dice"]["sd"][place])


def _is_curve(document: Document) -> bool:
    return not makes_one_request(document)


def _clicks(document: Document) -> list[int]:
    return [int(count) for count in document["summary"]["clicks"]]
