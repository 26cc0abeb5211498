"""The mean of folders of folds is evaluated and reported like a model; models of one name are kept apart."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from datasets.formats.nifti import read_mask
from datasets.study.cohort import load, read_cohort
from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.training.support.tiny_folds import write_folds, write_slice_model
from tests.training.support.tiny_models import BUILDERS
from training.measures.metrics import dice
from training.methods.crossvalidation import FoldSegmenters
from training.model_package import write_package
from training.segmenters.segmenter import SegmentationRequest

FOLDS = (("P1", "P3"), ("P2", "P4"))
BOTH = ("--image-glob", "t1=*/T1.nii.gz", "t2=*/T2.nii.gz", "--mask-glob", "*/mask.nii.gz")


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder)
    return folder


def test_a_mean_draws_each_case_by_the_folds_that_never_saw_it(cohort: Path, tmp_path: Path) -> None:
    one = write_folds(tmp_path / "one", FOLDS, seed=1)
    other = write_folds(tmp_path / "other", FOLDS[::-1], seed=7, kinds=("t2",))
    given = f"mean={one.folder}+{other.folder}"
    asked = ("--cohort", cohort, *BOTH, "--clicks", 0, "--seeds", 1, "--raw")
    status, found = run("evaluate_model", given, *asked)
    assert status == 0
    summary = found["summary"]
    assert (found["model"], summary["method"], summary["images"]) == ("mean", "mean", ["t1", "t2"])
    assert (summary["folds"], summary["learned_from"]) == ([list(fold) for fold in FOLDS], [])
    segmenters = [FoldSegmenters(each) for each in (one, other)]
    for case in read_cohort(cohort, {"t1": "*/T1.nii.gz", "t2": "*/T2.nii.gz"}, "*/mask.nii.gz").cases:
        loaded = load(case)
        request = SegmentationRequest(loaded.volumes, "t1", slice_axis=2)
        drawn = [np.asarray(each(case.case).segment(request).probability.data) for each in segmenters]
        expected = dice(np.mean(drawn, axis=0) > 0.5, loaded.mask.foreground)
        [got] = [each["dice"] for each in found["cases"] if each["case"] == case.case]
        assert got == [pytest.approx(expected, abs=1e-6)]

    out = tmp_path / "report"
    status, found = run("report_models", one.folder, given, "--out", out, "--cohort", cohort, *BOTH)
    assert status == 0
    assert found["models"] == ["one (2 folds)", "mean"]
    assert "tests.csv" in found["files"]
    assert "question-images.csv" not in found["files"]  # a mean is no unet-25d of more images


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        (("folds", "others"), "mean-folds"),
        (("folds", "package"), "mean-folds"),
        (("package", "points"), "mean-prompted"),
    ],
)
def test_what_makes_no_mean_is_refused(parts: tuple[str, str], code: str, cohort: Path, tmp_path: Path) -> None:
    write_folds(tmp_path / "folds", FOLDS)
    write_folds(tmp_path / "others", (("P1", "P2"), ("P3", "P4")))
    write_slice_model(tmp_path / "package", seed=3)
    write_package(tmp_path / "points", *BUILDERS["six-points"]())
    given = "+".join(str(tmp_path / part) for part in parts)
    status, document = run("evaluate_model", given, "--cohort", cohort, *GLOBS)
    assert (status, document["code"]) == (2, code)


def test_models_of_one_name_need_names_and_keep_their_own_pictures(cohort: Path, tmp_path: Path) -> None:
    folders = [write_folds(tmp_path / place / "unet", FOLDS, seed=seed).folder for place, seed in (("x", 1), ("y", 5))]
    images = ("--cohort", cohort, *GLOBS)
    out, masks = tmp_path / "report", tmp_path / "masks"
    assert run("report_models", *folders, "--out", out, *images)[1]["code"] == "models-one-name"
    against = ("--clicks", 0, "--seeds", 1, "--against", folders[1], "--masks", masks)
    assert run("evaluate_model", folders[0], *images, *against)[1]["code"] == "models-one-name"
    assert not out.exists()
    assert not masks.exists()

    status, document = run("report_models", f"A={folders[0]}", f"B={folders[1]}", "--out", out, *images)
    assert (status, document["models"]) == (0, ["A", "B"])
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["A", "B"]
    truth = read_mask(cohort / "P1" / "mask.nii.gz").foreground
    for number, name in enumerate("AB", start=1):
        drawn = dice(read_mask(out / "masks" / name / "P1.nii.gz").foreground, truth)
        rows = csv.DictReader((out / f"figure-6-cases-{number}.csv").open(encoding="utf-8"))
        [told] = [row["Dice"] for row in rows if row["case"] == "P1"]
        assert float(told) == pytest.approx(drawn, abs=6e-4)


def test_a_mask_that_was_not_evaluated_is_not_shown(cohort: Path, tmp_path: Path) -> None:
    """Two models of one title, one after the other, into one folder: the second's masks are not the first's."""
    folders = [write_folds(tmp_path / place / "unet", FOLDS, seed=seed).folder for place, seed in (("x", 1), ("y", 5))]
    images, masks = ("--cohort", cohort, *GLOBS), tmp_path / "masks"
    files = []
    for name, folder in zip("AB", folders, strict=True):
        _, found = run("evaluate_model", folder, *images, "--clicks", 0, "--seeds", 1, "--masks", masks)
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(found))
    given = (f"A={files[0]}", f"B={files[1]}", "--out", tmp_path / "report", "--masks", masks, *images)
    status, document = run("report_models", *given)
    assert status == 1
    assert len(document["findings"]) == 4
    assert all("the mask of A is not shown" in line and "[report-other-mask]" in line for line in document["findings"])
    for path in files:
        found = json.loads(path.read_text())
        found["summary"].pop("masks")  # as an earlier version wrote it
        path.write_text(json.dumps(found))
    assert len(run("report_models", *given)[1]["findings"]) == 8


def test_masks_of_cases_are_kept_apart_in_any_script(tmp_path: Path) -> None:
    folder, masks = tmp_path / "cohort", tmp_path / "masks"
    write_cohort(folder, count=2)
    write_slice_model(tmp_path / "model", seed=1)
    asked = ("evaluate_model", tmp_path / "model", "--cohort", folder, *GLOBS, "--clicks", 0, "--seeds", 1)
    names = {"P1": "病人甲", "P2": "病人乙"}
    for before, now in names.items():
        (folder / before).rename(folder / now)
    status, found = run(*asked, "--masks", masks)
    assert status == 0
    assert {path.name for path in masks.glob("*/*")} == {f"{name}.nii.gz" for name in names.values()}
    assert len({*found["summary"]["masks"].values()}) == 2
    for before, now in zip(names.values(), ("a b", "a_b"), strict=True):
        (folder / before).rename(folder / now)
    assert run(*asked, "--masks", masks)[1]["code"] == "cases-one-name"


def test_a_table_says_whose_the_cases_are(cohort: Path, tmp_path: Path) -> None:
    folders = [write_folds(tmp_path / name, FOLDS, seed=seed).folder for name, seed in (("one", 1), ("other", 5))]
    table = tmp_path / "cases.csv"
    table.write_text("case,patient\nP1,a\nP2,a\nP3,b\nP4,c\n")
    asked = ("--cohort", cohort, *GLOBS, "--clicks", 0, "--seeds", 1, "--against", folders[1])
    status, found = run("evaluate_model", folders[0], *asked, "--case-table", table)
    assert status == 0
    [row] = [row for row in found["comparison"] if row["measure"] == "Dice, one request"]
    assert row["n"] == 3
    kept = tmp_path / "found.json"
    kept.write_text(json.dumps(found))
    run("report_models", kept, "--out", tmp_path / "report")  # the evaluation says whose they are
    with (tmp_path / "report" / "tests.csv").open(encoding="utf-8") as stream:
        [told] = [line for line in csv.DictReader(stream) if (line["group"], line["measure"]) == ("all", "Dice")]
    assert told["patients"] == "3"
    assert told["t-test p"] == ("" if row["t_test_p"] is None else f"{row['t_test_p']:.2g}")

    table.write_text("case,patient\nP1,a\n")
    assert run("evaluate_model", folders[0], *asked, "--case-table", table)[1]["code"] == "report-case-unknown"
