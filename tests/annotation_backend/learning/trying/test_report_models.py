"""report_models on files alone: evaluations and a model that is tried for it, pictures, and refusals."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.training.support.evaluations import evaluation_document
from tests.training.support.tiny_models import BUILDERS
from training.model_package import write_package

ONE = {"c0": 0.0, "c1": 0.5, "c2": 0.7}


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


def written(folder: Path, name: str, document: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def test_evaluations_become_a_page_and_tables(tmp_path: Path) -> None:
    one = written(tmp_path, "one.json", evaluation_document("one", ONE))
    other = evaluation_document("other", dict.fromkeys(ONE, 0.9)) | {"against": [evaluation_document("third", ONE)]}
    two = written(tmp_path, "two.json", other)
    table = tmp_path / "cases.csv"
    table.write_text("﻿case,tissue_type\n" + "".join(f"{case},fat\n" for case in ONE), encoding="utf-8")
    status, document = run("report_models", f"Mine={one}", two, "--case-table", table, "--out", tmp_path / "report")
    assert (status, document["models"], document["cases"]) == (0, ["Mine", "other", "third"], 3)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {*document["files"], "report.json"}
    assert "tests.csv" in document["files"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Mine" in page
    assert "<td>0.400</td>" in page  # (0 + 0.5 + 0.7) / 3

    (tmp_path / "report" / "own.csv").write_text("kept")
    status, document = run("report_models", one, "--out", tmp_path / "report")
    assert "tests.csv" not in document["files"]  # there is one model
    assert {path.name for path in (tmp_path / "report").iterdir()} == {*document["files"], "report.json", "own.csv"}


@pytest.mark.slow
def test_a_model_is_tried_and_its_worst_cases_are_shown(tmp_path: Path) -> None:
    cohort, package, out = tmp_path / "cohort", tmp_path / "model", tmp_path / "report"
    names = write_cohort(cohort, count=2)
    write_package(package, *BUILDERS["six-points"]())
    images = ("--cohort", cohort, *GLOBS)
    status, document = run("report_models", package, "--out", out, *images)
    assert (status, document["cases"]) == (0, 2)
    page = (out / "report.html").read_text()
    assert page.count('<img src="data:image/png;base64,') == 2
    assert "figure-4-grey-t1.csv" in document["files"]
    [kept], [masks] = (out / "evaluations").glob("*.json"), (out / "masks").iterdir()
    assert sorted(path.name for path in masks.iterdir()) == [f"{name}.nii.gz" for name in names]
    summary = json.loads(kept.read_text())["summary"]
    assert (summary["method"], summary["folds"], summary["learned_from"]) == ("six-points", [], [])

    again = tmp_path / "again"
    status, document = run("report_models", kept, "--out", again, "--masks", out / "masks", *images)
    assert status == 0
    assert (again / "table-2-models.csv").read_bytes() == (out / "table-2-models.csv").read_bytes()
    assert (again / "report.html").read_text().count('<img src="data:image/png;base64,') == 2

    [mask, _] = sorted(masks.iterdir())
    mask.write_bytes(b"no mask")
    status, document = run("report_models", kept, "--out", again, "--masks", out / "masks", *images)
    assert status == 1
    assert "P1: the mask of" in document["findings"][0]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "evaluation-document"),
        ("[]", "evaluation-document"),
        ("{}", "evaluation-document"),
        ('{"model": "a", "cases": NaN}', "report-number"),
        (json.dumps(evaluation_document("a", ONE) | {"cases": []}), "report-empty"),
    ],
)
def test_files_that_are_no_evaluations_are_refused(tmp_path: Path, content: str, code: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    status, document = run("report_models", path, "--out", tmp_path / "report")
    assert (status, document["code"]) == (2, code)
    assert not (tmp_path / "report").exists()


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    one = written(tmp_path, "one.json", evaluation_document("one", ONE))
    out = ("--out", tmp_path / "report")
    assert run("report_models", "six-points", *out)[1]["code"] == "report-no-cohort"
    assert run("report_models", one, *out, "--case-table", tmp_path / "none.csv")[1]["code"] == "report-file"
    assert run("report_models", one, *out, "--cohort", tmp_path)[1]["code"] == "cohort-globs"
    assert run("report_models", one, "--out", one)[1]["code"] == "report-folder"
    fewer = written(tmp_path, "fewer.json", evaluation_document("fewer", {"c0": 0.1}))
    assert run("report_models", one, fewer, *out)[1]["code"] == "report-other-cases"
