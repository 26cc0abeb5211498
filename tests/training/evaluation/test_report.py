"""The page and the comparison of evaluations that were really made, and what they do with documents that are none."""

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.study.cohort import LoadedCase
from tests.training.support.growing_segmenter import GrowingSegmenter
from tests.training.support.synthetic import blob_case
from training.evaluation.evaluation import evaluate
from training.evaluation.report import report_page
from training.evaluation.sessions import SessionPlan
from training.measures.comparison import compare_evaluations, titles
from training.measures.statistics import adjusted, compare
from training.prompts.simulated_user import ClickUser, SimulatedUser, SixPointUser


def document(tolerance: float, *, user: SimulatedUser | None = None, model: str = "", cases: int = 5) -> dict[str, Any]:
    """An evaluation as it comes back from a file."""
    found = [blob_case(number, radius_mm=6.0 + number) for number in range(1, cases + 1)]
    loaded = [LoadedCase(case.case, {"t2": case.volumes["t2"]}, case.mask) for case in found]
    evaluation = evaluate(
        GrowingSegmenter(tolerance=tolerance),
        loaded,
        user=user or ClickUser(),
        plan=SessionPlan(seeds=1),
        model=model,
        about="Phantoms.",
    )
    return json.loads(canonical_json(evaluation.as_dict()))


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return [document(9, model="narrow"), document(12, model="wide"), document(20, user=SixPointUser(), model="points")]


class Tags(HTMLParser):
    """Names of all elements, and whether each is closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.extend(name for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_self_contained_and_without_script(documents: list[dict[str, Any]]) -> None:
    for page in (report_page(documents[:1]), report_page(documents)):
        tags = Tags(page)
        assert tags.open == []
        assert "script" not in tags.names
        assert not {"src", "href"} & set(tags.attributes)
        assert not any(name.startswith("on") for name in tags.attributes)
        assert "url(" not in page
        for picture in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
            ElementTree.fromstring(picture)
        assert "nan" not in page.lower().replace("nano", "")


def test_page_shows_the_curve_and_the_figures(documents: list[dict[str, Any]]) -> None:
    page = report_page(documents[:1])
    [curve] = re.findall(r'<svg[^>]*aria-label="Dice against clicks">.*?</svg>', page, flags=re.DOTALL)
    assert curve.count('class="case m0"') == 5
    assert curve.count('class="point m0"') == 11
    assert curve.count('class="band m0"') == 1
    summary = documents[0]["summary"]
    assert f"{summary['dice']['mean'][5]:.3f}<small>± {summary['dice']['sd'][5]:.3f}</small>" in page
    assert page.count("Bland-Altman plot") == 2
    assert f"<dd>{sum(case['dice'][-1] < 0.3 for case in documents[0]['cases'])} of 5 case(s) with a Dice" in page
    for case in documents[0]["cases"]:
        assert f'<td class="words">{case["case"]}</td>' in page
        assert f"<td>{case['dice'][10]:.3f}</td>" in page


def test_methods_of_one_request_show_their_cases(documents: list[dict[str, Any]]) -> None:
    page = report_page(documents[2:])
    assert 'aria-label="Dice of every case"' in page
    assert 'aria-label="Dice against clicks"' not in page


def test_everything_from_a_document_is_escaped(documents: list[dict[str, Any]]) -> None:
    evil = '<script>alert("x")</script>'
    changed = json.loads(json.dumps(documents[0]).replace("case-1", evil.replace('"', "'")))
    changed["model"] = evil
    changed["summary"] |= {"about": evil, "user": evil, "seeds": [evil]}
    changed["summary"]["refused"] = [dict.fromkeys(("case", "code", "message", "remedy"), evil)]
    page = report_page([changed, documents[1]])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9
    assert Tags(page).open == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("clicks", ["<b>"] * 11), ("evaluated", "<b>"), ("dice", {"mean": ["<b>"] * 11, "sd": [None] * 11}), ("worst", 3)],
)
def test_numbers_that_are_none_are_refused(documents: list[dict[str, Any]], key: str, value: object) -> None:
    changed = json.loads(json.dumps(documents[0]))
    changed["summary"][key] = value
    with pytest.raises(RejectedInput, match="evaluation-document"):
        report_page([changed, documents[1]])


@pytest.mark.parametrize("wrong", [[], [{}], [{"model": "a"}], [{"model": "a", "cases": [], "summary": {}}], ["text"]])
def test_what_is_no_evaluation_is_refused(wrong: list[Any]) -> None:
    with pytest.raises(RejectedInput, match="evaluation-document"):
        report_page(wrong)


def test_an_evaluation_of_refusals_only_is_shown(documents: list[dict[str, Any]]) -> None:
    case = blob_case(1)
    loaded = LoadedCase("a", {"t2": case.volumes["t2"]}, case.mask)
    found = evaluate(
        GrowingSegmenter(needs_click=True), [loaded], user=ClickUser(), plan=SessionPlan(clicks=2), model="none"
    )
    page = report_page([found.as_dict()])
    assert "growing-no-click" in page
    assert "growing-no-click" in report_page([documents[0], found.as_dict()])


def test_one_case_is_shown() -> None:
    assert Tags(report_page([document(9, model="one", cases=1)])).open == []


def test_comparison_is_that_of_the_statistics(documents: list[dict[str, Any]]) -> None:
    rows = compare_evaluations(documents[:2])
    by_measure = {row.measure: row.found for row in rows}
    one, other = ({case["case"]: case["dice"][5] for case in found["cases"]} for found in documents[:2])
    found = by_measure["Dice, 5 clicks"]
    assert (found.t_test_p, found.mean_difference) == (
        compare(one, other).t_test_p,
        compare(one, other).mean_difference,
    )
    assert found.mean_difference < 0  # the wider tolerance draws more of the ball
    family = [row.found.t_test_p for row in rows]
    assert [row.found.t_test_adjusted for row in rows] == adjusted(family)
    assert by_measure["Dice, 0 clicks"].t_test_p is None  # nothing drawn by either
    assert "Surface Dice at 1 mm, mean of 1–10" in by_measure


def test_only_like_is_compared_with_like(documents: list[dict[str, Any]]) -> None:
    """Six points are not one click, and slices are no volumes."""
    assert compare_evaluations([documents[0], documents[2]]) == ()
    sliced = json.loads(json.dumps(documents[0]))
    sliced["summary"]["per_slice"] = True
    assert compare_evaluations([documents[0], sliced]) == ()
    points = document(9, user=SixPointUser(), model="other points")
    measures = {row.measure for row in compare_evaluations([documents[2], points])}
    assert "Dice, one request" in measures


def test_models_of_one_name_are_told_apart(documents: list[dict[str, Any]]) -> None:
    same = {"model": "a", "summary": {"user": "u"}}
    other = {"model": "a", "summary": {"user": "v"}}
    assert titles([same, other]) == ("a (u)", "a (v)")
    assert titles([same, same, other]) == ("a (u), 1", "a (u), 2", "a (v)")
    assert titles(documents) == ("narrow", "wide", "points")
