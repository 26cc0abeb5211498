"""The report of models: its numbers by hand, its page against its CSVs, and what it refuses."""

import csv
import io
import json
import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import ttest_rel, wilcoxon

from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.pages.sheets import Column
from tests.training.support.evaluations import VOLUMES_ML, evaluation_document
from tests.training.support.synthetic import lps_grid
from training.reports.case_facts import facts_of, mask_differences, read_case_table
from training.reports.model_report import ModelReport, model_report
from training.reports.pictures import case_picture, grey_value
from training.reports.scores import ModelScores, read_models

ONE = {"c0": 0.0, "c1": 0.5, "c2": 0.7, "c3": 0.8, "c4": 0.85, "c5": 0.9}
MORE = {"c0": 0.1, "c1": 0.7, "c2": 0.85, "c3": 0.86, "c4": 0.9, "c5": 0.95}
TABLE = """case,patient,tissue_type,anatomical_site,cohort
c0,p0,fat,thigh,own
c1,p1,fat,leg,own
c2,p2,myxoid,thigh,own
c3,p3,myxoid,thigh,own
c4,p4,fat,leg,own
c5,p4,fat,thigh,own
"""
GREY = {case: {"t1": 40.0 * number} for number, case in enumerate(VOLUMES_ML)}


def documents() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("", evaluation_document("one", ONE, method="unet-25d", images=["t1"])),
        ("", evaluation_document("more", MORE, method="unet-25d", images=["t1", "t2"], learned_from=["c5"])),
    ]


def report_of(models: tuple[ModelScores, ...], table: str = TABLE) -> ModelReport:
    facts = facts_of(models, read_case_table(table), GREY)
    return model_report(models, facts, {}, about="Phantoms <b>only</b>.")


@pytest.fixture(scope="module")
def report() -> ModelReport:
    return report_of(read_models(documents()))


def rows(report: ModelReport, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report.tables[f"{name}.csv"])))


def test_models_by_hand(report: ModelReport) -> None:
    """Six cases of five patients: (0 + .5 + .7 + .8 + .85 + .9) / 6 = .625; the one miss is c0."""
    [one, more] = rows(report, "table-2-models")
    assert (one["cases"], one["patients"], one["misses"]) == ("6", "5", "1")
    assert one["mean Dice"] == "0.625"
    assert one["median"] == "0.750"
    assert one["mean without misses"] == "0.750"
    assert one["SD"] == f"{np.std(list(ONE.values()), ddof=1):.3f}"
    assert float(one["from"]) < 0.625 < float(one["to"])
    assert more["misses"] == "1"


def test_tissue_types_sites_and_sizes_by_hand(report: ModelReport) -> None:
    types = {row["group"]: row["mean Dice"] for row in rows(report, "table-3-tissue-types") if row["model"] == "one"}
    assert types == {"fat": f"{(0 + 0.5 + 0.85 + 0.9) / 4:.3f}", "myxoid": "0.750", "all": "0.625"}
    [thigh, leg] = rows(report, "table-4-sites-1")
    assert (thigh["site"], thigh["fat"], thigh["myxoid"], thigh["cases"], thigh["mean Dice"]) == (
        "thigh",
        "0.450",
        "0.750",
        "4",
        "0.600",
    )
    assert (leg["fat"], leg["myxoid"]) == ("0.675", "")
    thirds = [row for row in rows(report, "table-thirds") if row["model"] == "one"]
    assert {row["group"].split()[0]: row["mean Dice"] for row in thirds} == {
        "small": "0.250",
        "middle": "0.750",
        "large": "0.875",
        "all": "0.625",
    }
    [thigh, leg, total] = rows(report, "table-1-sites")
    assert (thigh["fat"], thigh["myxoid"], leg["fat"], total["fat"], total["total"]) == ("2", "2", "2", "4", "6")


def test_tests_are_scipys_over_patients(report: ModelReport) -> None:
    """The two cases of p4 count once, as their mean."""
    one = [0.0, 0.5, 0.7, 0.8, 0.875]
    more = [0.1, 0.7, 0.85, 0.86, 0.925]
    [found] = [row for row in rows(report, "tests") if (row["group"], row["measure"]) == ("all", "Dice")]
    assert found["patients"] == "5"
    assert found["first − second"] == f"{np.mean(np.subtract(one, more)):.3f}"
    assert float(found["t-test p"]) == pytest.approx(ttest_rel(one, more).pvalue, rel=0.05)
    assert float(found["Wilcoxon p"]) == pytest.approx(wilcoxon(one, more).pvalue, rel=0.05)
    assert float(found["Wilcoxon adjusted"]) >= float(found["Wilcoxon p"])


def test_the_question_of_the_images_is_put_to_models_of_one_method(report: ModelReport) -> None:
    [found] = rows(report, "question-images")
    assert (found["several images"], found["fewer images"]) == ("more: t1 + t2", "one: t1")
    assert found["answer"] == "no difference was shown"  # five patients cannot show one: the least p is 2 / 2^5
    assert float(found["first − second"]) > 0
    other = documents()
    other[1][1]["summary"]["method"] = "unet-3d"
    assert "question-images.csv" not in report_of(read_models(other)).tables


def test_many_patients_answer_the_question() -> None:
    table = "case,patient\n" + "".join(f"{case},{case}\n" for case in VOLUMES_ML)
    better = {case: value + 0.05 + 0.001 * at for at, (case, value) in enumerate(ONE.items())}
    found = [
        ("", evaluation_document("one", ONE, method="m", images=["t1"])),
        ("", evaluation_document("more", better, method="m", images=["t1", "t2"])),
    ]
    [row] = rows(report_of(read_models(found), table), "question-images")
    assert (row["answer"], row["Wilcoxon adjusted"]) == ("yes", "0.031")  # 2 / 2^6


def test_trend_lines_and_agreement_by_hand(report: ModelReport) -> None:
    lines = {row["tissue type"]: row for row in rows(report, "figure-9-grey-t1-1-lines")}
    x, y = [0.0, 40.0, 160.0, 200.0], [0.0, 0.5, 0.85, 0.9]
    slope, start = np.polyfit(x, y, 1)
    assert (lines["fat"]["slope"], lines["fat"]["intercept"]) == (f"{slope:.4f}", f"{start:.4f}")
    assert lines["fat"]["R²"] == f"{np.corrcoef(x, y)[0, 1] ** 2:.3f}"
    assert lines["myxoid"]["slope"] == ""  # two cases always lie on a line
    percent = [-200 * (1 - dice) / (1 + dice) for dice in ONE.values()]
    [volume] = [row for row in rows(report, "table-agreement") if (row["model"], row["size"]) == ("one", "volume (ml)")]
    assert volume["bias (%)"] == f"{np.mean(percent):.1f}"
    assert volume["upper limit (%)"] == f"{np.mean(percent) + 1.96 * np.std(percent, ddof=1):.1f}"


def test_lesions_and_worst_cases(report: ModelReport) -> None:
    [one, _] = rows(report, "table-lesions")
    assert (one["lesions"], one["detected"], one["missed"], one["false"]) == ("6", "5", "1", "1")
    assert one["share detected"] == "0.833"
    worst = rows(report, "figure-6-cases-1")
    assert [row["case"] for row in worst] == sorted(ONE, key=lambda case: ONE[case])
    assert [row["miss"] for row in worst] == ["yes", "no", "no", "no", "no", "no"]
    assert {row["case"]: row["learned from"] for row in rows(report, "figure-6-cases-2")}["c5"] == "yes"


def _cells(page: str) -> dict[str, list[list[str]]]:
    """Rows of every table of the page, by the name of the CSV that stands with it."""
    found = {}
    for card in re.findall(r'<section class="card">(.*?)</section>', page, flags=re.DOTALL):
        names = re.findall(r"<small>([\w.-]+)\.csv</small>", card)
        for table in re.findall(r"<table>.*?</table>", card, flags=re.DOTALL):
            lines = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
            cells = [[unescape(each) for each in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)] for line in lines]
            found[names[-1]] = cells
    return found


def test_every_number_of_the_page_is_that_of_its_csv(report: ModelReport) -> None:
    tables = _cells(report.page)
    assert {"table-2-models", "table-3-tissue-types", "tests", "table-agreement", "figure-8-volume-1-lines"} <= {
        *tables
    }
    for name, shown in tables.items():
        written = list(csv.reader(io.StringIO(report.tables[f"{name}.csv"])))
        assert [[cell.replace("−", "-").replace("–", "") for cell in row] for row in shown] == [
            [cell.replace("−", "-") for cell in row] for row in written
        ], name


def test_every_mark_of_a_figure_is_in_its_csv(report: ModelReport) -> None:
    figures = 0
    for card in re.findall(r'<section class="card">(.*?)</section>', report.page, flags=re.DOTALL):
        titles = re.findall(r"<title>(.*?)</title>", card)
        if not titles:
            continue
        figures += 1
        name = re.findall(r"<small>([\w.-]+)\.csv</small>", card)[0]
        written = list(csv.reader(io.StringIO(report.tables[f"{name}.csv"])))[1:]
        assert len(titles) == len(written)
        for title in titles:
            numbers = re.findall(r"-?\d+\.\d+", title)
            case = re.search(r"c\d", title)
            assert case
            assert numbers
            assert any(case[0] in row and set(numbers) <= set(row) for row in written), (name, title)
    assert figures == 3 + 2 * 2 + 2 * 3  # 3, 4 and 7; 8 and 9 of each model; three sizes of each


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    column = Column("bias", ".1f")
    assert [column.text(value) for value in (-0.04, 0.0, -0.06, 3, None)] == ["0.0", "0.0", "-0.1", "3", ""]


def test_page_is_self_contained_and_escaped() -> None:
    named = [("<script>alert(1)</script>", evaluation_document("one", ONE))]
    report = report_of(read_models(named), TABLE.replace("fat", "<i>fat</i>"))
    assert not re.search(r"<script|<i>fat|<b>only|\son\w+=|url\(|href=", report.page)
    assert "&lt;script&gt;" in report.page
    for picture in re.findall(r"<svg.*?</svg>", report.page, flags=re.DOTALL):
        ElementTree.fromstring(picture)
    assert "nan" not in report.page.lower()
    assert not report_of(read_models([("=1+1", evaluation_document("one", ONE))])).tables["models.csv"].count("\n=")


def test_evaluations_of_one_name_are_one_model_on_two_cohorts() -> None:
    own = {case: ONE[case] for case in ("c0", "c1", "c2")}
    external = {case: ONE[case] for case in ("c3", "c4", "c5")}
    models = read_models([("net", evaluation_document("folds", own)), ("net", evaluation_document("final", external))])
    table = re.sub(r"^(c[345].*),own$", r"\1,external", TABLE, flags=re.MULTILINE)
    found = {row["cohort"]: row for row in rows(report_of(models, table), "table-2-models")}
    assert (found["own"]["mean Dice"], found["external"]["mean Dice"]) == ("0.400", "0.850")
    assert (found["own"]["misses"], found["external"]["misses"]) == ("1", "0")


def test_evaluations_of_earlier_versions_are_reported() -> None:
    """They have no lesions, 3D diameters, images, method or folds."""
    old = evaluation_document("old", ONE)
    for size in old["summary"]["sizes"]:
        for name in ("lesions", "diameter_3d_mm", "reference_diameter_3d_mm"):
            del size[name]
    del old["summary"]["misses"]
    report = report_of(read_models([("", old)]))
    assert "table-lesions.csv" not in report.tables
    assert {row["size"] for row in rows(report, "table-agreement")} == {"volume (ml)", "transverse diameter (mm)"}


def refused(code: str) -> Any:
    return pytest.raises(RejectedInput, match=re.escape(f"[{code}]"))


@pytest.mark.parametrize(
    "wrong", [[], [("", {})], [("", {"model": "a"})], [("", "text")], [("", {"model": "a", "cases": 3})]]
)
def test_what_is_no_evaluation_is_refused(wrong: list[Any]) -> None:
    with refused("evaluation-document"):
        read_models(wrong)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.5, "0.5", True])
def test_dice_that_is_none_is_refused(value: object) -> None:
    document = evaluation_document("one", ONE)
    document["cases"][2]["dice"] = [value]
    with refused("report-number"):
        read_models([("", document)])


@pytest.mark.parametrize(("name", "value"), [("diameter_3d_mm", 1e308), ("volume_ml", 10**400), ("lesions", "")])
def test_sizes_that_no_body_has_are_refused(name: str, value: object) -> None:
    document = evaluation_document("one", ONE)
    document["summary"]["sizes"][0][name] = value
    with pytest.raises(RejectedInput, match=r"report-number|evaluation-document"):
        read_models([("", document)])


def test_what_cannot_be_compared_is_refused() -> None:
    one, other = evaluation_document("one", ONE), evaluation_document("other", MORE)
    with refused("report-empty"):
        read_models([("", one | {"cases": []})])
    with refused("report-case-twice"):
        read_models([("", one), ("", one)])
    with refused("report-slices"):
        read_models([("", one), ("", other | {"summary": other["summary"] | {"per_slice": True}})])
    folds = [["c0", "c1", "c2"], ["c3", "c4", "c5"]]
    with_folds = one | {"summary": one["summary"] | {"folds": folds}}
    turned = other | {"summary": other["summary"] | {"folds": folds[::-1]}}
    assert len(read_models([("", with_folds), ("", turned)])) == 2
    changed = other | {"summary": other["summary"] | {"folds": [["c0", "c1", "c3"], ["c2", "c4", "c5"]]}}
    with refused("report-other-folds"):
        read_models([("", with_folds), ("", changed)])
    fewer = evaluation_document("fewer", {case: ONE[case] for case in ("c0", "c1")})
    with refused("report-other-cases"):
        facts_of(read_models([("", one), ("", fewer)]), {}, {})
    fewer["summary"]["refused"] = [{"case": case} for case in ("c2", "c3", "c4", "c5")]
    assert len(facts_of(read_models([("", one), ("", fewer)]), {}, {})) == 6


def test_a_number_of_clicks_that_was_not_measured_is_refused() -> None:
    document = evaluation_document("one", ONE)
    for case in document["cases"]:
        for name in ("dice", "assd_mm", "hd95_mm", "surface_dice_1mm"):
            case[name] = [case[name][0], 1.0]
        case["clicks"] = [0, 1]
    assert read_models([("", document)], clicks=0)[0].scores["c1"].dice == 0.5
    assert read_models([("", document)])[0].scores["c1"].dice == 1.0
    with refused("report-clicks"):
        read_models([("", document)], clicks=5)


@pytest.mark.parametrize("text", ["", "patient\np1\n", "case\nc0\nc0\n", 'case\n"c0', "case\n \n"])
def test_tables_that_are_none_are_refused(text: str) -> None:
    with refused("report-case-table"):
        read_case_table(text)


def test_a_case_that_the_table_lacks_is_refused_and_other_masks_are_found() -> None:
    models = read_models(documents())
    with refused("report-case-unknown"):
        facts_of(models, read_case_table("case\nc0\n"), {})
    assert mask_differences(models) == []
    other = json.loads(json.dumps(documents()[1][1]))
    other["summary"]["sizes"][3]["reference_volume_ml"] *= 1.2
    assert mask_differences(read_models([documents()[0], ("", other)])) == ["c3"]


def test_a_picture_shows_both_outlines() -> None:
    import base64

    from PIL import Image

    grid = lps_grid((40, 40, 5), (1.0, 1.0, 3.0))
    reference, predicted = np.zeros((2, *grid.shape), dtype=np.uint8)
    reference[10:20, 10:20, 2], predicted[25:30, 10:20, 2] = 1, 1
    image = Volume((100.0 * reference).astype(np.float32), grid)
    found = case_picture(image, "t1", Mask(reference, grid), Mask(predicted, grid))
    assert found.slice_index == 2
    data = base64.b64decode(found.data_uri.removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    green = (pixels == (46, 204, 64)).all(axis=2)
    red = (pixels == (255, 65, 54)).all(axis=2)
    assert green.sum() > red.sum() > 0
    assert grey_value(image, "MR", Mask(reference, grid)) == 255.0
    with pytest.raises(RejectedInput):
        case_picture(
            image, "t1", Mask(reference, grid), Mask(predicted[:, :, :4], lps_grid((40, 40, 4), (1.0, 1.0, 3.0)))
        )
