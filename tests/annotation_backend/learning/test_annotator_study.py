"""simulate_annotators on files alone: rows, what is kept, what is refused."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.training.support.tiny_models import BUILDERS
from training.model_package import write_package


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command("simulate_annotators", *map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder, count=3)
    return folder


def common(cohort: Path) -> tuple[object, ...]:
    return ("--cohort", cohort, *GLOBS, "--workers", 1)


@pytest.mark.slow
def test_a_stopped_study_goes_on_and_gives_the_same(cohort: Path, tmp_path: Path) -> None:
    own = (*common(cohort), "--strategies", "strokes", "--out", tmp_path)
    status, first = run(*own, "--cases", "P1")
    assert status == 0
    kept = tmp_path / "cases.jsonl"
    torn = kept.read_text() + '{"key": "cut of'
    kept.write_text(torn)
    status, whole = run(*own)
    assert status == 0
    assert [row["case"] for row in whole["cases"]] == ["P1", "P2", "P3"]
    assert whole["cases"][0] == first["cases"][0]
    assert len([line for line in kept.read_text().splitlines() if line.endswith("}")]) == 3
    before = kept.read_bytes()
    _, again = run(*own)
    assert again == whole
    assert kept.read_bytes() == before
    _, other = run(*own, "--seed", 1)
    assert kept.read_bytes() != before
    assert other["summary"]["cases"] == 3


def test_kept_rows_are_read_and_not_computed_anew(cohort: Path, tmp_path: Path) -> None:
    own = (*common(cohort), "--strategies", "strokes", "--out", tmp_path, "--cases", "P1")
    run(*own)
    kept = tmp_path / "cases.jsonl"
    entry = json.loads(kept.read_text())
    entry["row"]["slices"] = 77
    kept.write_text(json.dumps(entry) + "\n")
    assert run(*own)[1]["cases"][0]["slices"] == 77


def test_every_case_reaches_its_dice_and_both_arms_are_told(cohort: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    status, found = run(*common(cohort), "--strategies", "strokes", "--page", page)
    assert status == 0
    for row in found["cases"]:
        for arm in (row["by_hand"], row["outlined"], row["strategies"]["strokes"]):
            assert arm["dice"] >= 0.95
            assert arm["submit"] >= row["slices"]
    assert found["rules"]["counted"]
    assert "P1" in page.read_text()


def test_a_damaged_case_does_not_stop_the_others(tmp_path: Path) -> None:
    write_cohort(tmp_path, count=2)
    (tmp_path / "P1" / "T1.nii.gz").write_bytes(b"no image")
    status, found = run(*common(tmp_path), "--strategies", "strokes")
    assert status == 1
    assert [row["case"] for row in found["cases"]] == ["P2"]
    assert any("P1" in line for line in found["findings"])


def test_models_answer_and_what_they_learned_from_is_said(cohort: Path, tmp_path: Path) -> None:
    description, tensors = BUILDERS["clicks-2d"]()
    description.parameters["fit"] = {"members": [{"cases": ["P1"]}]}
    write_package(tmp_path / "clicks", description, tensors)
    only = ("--cases", "P1", "--strategies", "clicks", "--clicks-model", tmp_path / "clicks")
    status, found = run(*common(cohort), *only)
    assert status == 1
    assert any("learned-from" in line for line in found["findings"])
    assert found["cases"][0]["strategies"]["clicks"]["click"] >= 1
    assert found["models"] == {"clicks": "tiny-1"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--strategies", "magic"), "annotator-strategy"),
        (("--longest-stroke", "-3"), "hand-settings"),
        (("--strategies", "clicks", "--clicks-model", "six-points"), "annotator-model-method"),
        (("--cases", "P9"), "cohort-only"),
    ],
)
def test_what_cannot_be_is_refused_by_name(cohort: Path, arguments: tuple[str, ...], code: str) -> None:
    status, found = run(*common(cohort), *arguments)
    assert (status, found["code"]) == (2, code)
