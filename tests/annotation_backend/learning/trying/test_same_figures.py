"""A run and the evaluation of its folder of folds say the same of the same folds: one figure for one model."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.models import Run
from annotation_backend.learning.runs.comparing import are_alike
from annotation_backend.learning.runs.held_out import HeldOut, case_means
from datasets.files import write_json
from datasets.formats.nifti import read_mask
from tests.annotation_backend.learning.tried_models import snapshot_of
from tests.annotation_backend.support.phantom_cohort import GLOBS, write_cohort
from tests.annotation_backend.support.records import the_study
from tests.training.support.tiny_folds import write_folds
from training.evaluation.results import cleanings_in_words
from training.measures.metrics import dice
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds
from training.methods.held_out import HeldOutMasks, HeldOutScores, nested_cleanings
from training.segmenters.postprocessing import Cleaning, cleaned_mask

pytestmark = pytest.mark.django_db

FOLDS = (("P1", "P3"), ("P2", "P4"))
SPLITS = (("P1", "P2"), ("P2", "P3"), ("P3", "P4"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder)
    return folder


def _evaluated(folder: Path, cohort: Path, *more: object) -> tuple[dict[str, Any], str]:
    """The document and what people are told."""
    out, said = StringIO(), StringIO()
    given = ("--cohort", cohort, *GLOBS, "--clicks", 0, "--seeds", 1, *more)
    call_command("evaluate_model", *map(str, (folder, *given)), "--json", stdout=out, stderr=said)
    return json.loads(out.getvalue()), said.getvalue()


def _run_of(trained: TrainedFolds, cohort: Path) -> Run:
    """The record of a training with these folds, once all are tried."""
    found, _ = examples_of_folder(cohort, [("", "*/T1.nii.gz")], "*/mask.nii.gz")
    snapshot = snapshot_of({case: case for case in found.cases})
    run = Run.objects.create(study=the_study(), snapshot=snapshot, method="unet-25d", settings={})
    held_out = HeldOut(run, trained, found, 0)
    for number in range(len(trained.folds)):
        held_out.try_fold(number)
    held_out.clean()
    return run


def _best(trained: TrainedFolds, cohort: Path) -> tuple[Cleaning, ...]:
    found, _ = examples_of_folder(cohort, [("", "*/T1.nii.gz")], "*/mask.nii.gz")
    masks = HeldOutMasks.of(trained)
    scores = []
    for fold, cases in enumerate(trained.folds):
        for case in cases:
            example = found.load(case)
            scores.append(HeldOutScores.of(fold, example, masks(example, fold)))
    return nested_cleanings(scores, trained.folds)


def test_folds_are_cleaned_alike_in_a_run_and_in_an_evaluation(cohort: Path, tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    trained = write_folds(tmp_path / "folds", FOLDS, seed=2)
    best = _best(trained, cohort)
    assert set(best) != {Cleaning.NONE}, "else this shows nothing"
    document, said = _evaluated(trained.folder, cohort, "--masks", tmp_path / "masks")
    run = _run_of(trained, cohort)
    assert document["summary"]["cleanings"] == list(best)
    assert f"post-processing: {cleanings_in_words(list(best))}" in said
    told = {case["case"]: (case["dice"][-1], case["hd95_mm"][-1]) for case in document["cases"]}
    assert {row["case"]: row["dice"] for row in run.figures} == {
        case: pytest.approx(found, abs=1e-4) for case, (found, _) in told.items()
    }
    assert {row["case"]: row["hd95_mm"] for row in run.figures} == {
        case: pytest.approx(found, abs=1e-4) for case, (_, found) in told.items()
    }
    assert run.summary["mean"] == pytest.approx(document["summary"]["dice"]["mean"][-1], abs=1e-4)
    assert run.summary["sd"] == pytest.approx(document["summary"]["dice"]["sd"][-1], abs=1e-4)
    raw, words = _evaluated(trained.folder, cohort, "--raw")
    assert raw["summary"]["cleanings"] == []
    assert "post-processing: none: masks as each fold drew them" in words
    masks = HeldOutMasks.of(trained)
    for case in raw["cases"]:
        fold = trained.fold_of(case["case"])
        example = examples_of_folder(cohort, [("", "*/T1.nii.gz")], "*/mask.nii.gz")[0].load(case["case"])
        drawn = masks(example, fold)
        assert case["dice"][-1] == pytest.approx(dice(drawn, example.mask.foreground), abs=1e-5)
        cleaned = cleaned_mask(drawn, best[fold])
        assert told[case["case"]][0] == pytest.approx(dice(cleaned, example.mask.foreground), abs=1e-5)
        [kept] = (tmp_path / "masks").glob(f"*/{case['case']}.nii.gz")
        np.testing.assert_array_equal(read_mask(kept).foreground, cleaned)


def test_of_random_splits_both_say_the_mean_over_the_splits(cohort: Path, tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    trained = write_folds(tmp_path / "folds", SPLITS, seed=2)
    document, said = _evaluated(trained.folder, cohort)
    run = _run_of(trained, cohort)
    splits = document["summary"]["splits"]
    assert [(row["case"], row["fold"]) for row in run.figures] == [
        ("P1", 0), ("P2", 0), ("P2", 1), ("P3", 1), ("P3", 2), ("P4", 2),
    ]  # fmt: skip
    assert run.summary["splits"] == pytest.approx(splits["dice_of_each"], abs=1e-4)
    assert run.summary["mean"] == pytest.approx(splits["dice"]["mean"], abs=1e-4)
    assert run.summary["sd"] == pytest.approx(splits["dice"]["sd"], abs=1e-4)
    assert (run.summary["cases"], run.summary["drawn"]) == (4, 6)
    by_hand = [np.mean([row["dice"] for row in run.figures if row["fold"] == number]) for number in range(3)]
    assert run.summary["splits"] == pytest.approx(by_hand, abs=1e-4)
    assert run.summary["mean"] == pytest.approx(np.mean(by_hand), abs=1e-4)
    assert f"{splits['dice']['mean']:.3f}" in said
    assert [case["case"] for case in document["cases"]] == ["P1", "P2", "P3", "P4"], "among the cases each once"
    first = {row["case"]: row["dice"] for row in reversed(run.figures)}
    assert {case["case"]: case["dice"][-1] for case in document["cases"]} == {
        case: pytest.approx(found, abs=1e-4) for case, found in first.items()
    }
    two = [row["dice"] for row in run.figures if row["case"] == "P2"]
    assert case_means(run.figures)["P2"]["dice"] == pytest.approx(np.mean(two), abs=1e-4)


def test_a_mean_of_folders_is_cleaned_by_its_own_masks(cohort: Path, tmp_path: Path) -> None:
    one = write_folds(tmp_path / "one", FOLDS, seed=2)
    other = write_folds(tmp_path / "other", FOLDS[::-1], seed=7)
    document, _ = _evaluated(Path(f"{one.folder}+{other.folder}"), cohort)
    found, _ = examples_of_folder(cohort, [("", "*/T1.nii.gz")], "*/mask.nii.gz")
    segmenters = [FoldSegmenters(each) for each in (one, other)]
    cleanings = document["summary"]["cleanings"]
    drawn, scores = {}, []
    for case in found.cases:
        example = found.load(case)
        masks = HeldOutMasks(lambda _fold, case=case: _Mean([each(case) for each in segmenters]), one.method)
        drawn[case] = masks(example, one.fold_of(case)), example.mask.foreground
        scores.append(HeldOutScores.of(one.fold_of(case), example, drawn[case][0]))
    assert cleanings == list(nested_cleanings(scores, one.folds))
    for case in document["cases"]:
        mask, truth = drawn[case["case"]]
        cleaning = Cleaning(cleanings[one.fold_of(case["case"])])
        assert case["dice"][-1] == pytest.approx(dice(cleaned_mask(mask, cleaning), truth), abs=1e-5)


def test_what_cannot_be_raw_is_refused_and_folds_of_both_kinds_in_one_report_are_named(
    cohort: Path, tmp_path: Path
) -> None:
    trained = write_folds(tmp_path / "folds", FOLDS, seed=2)
    assert _refused("evaluate_model", trained.package(0), "--raw", "--cohort", cohort, *GLOBS) == "raw-without-folds"
    files = []
    for name, options in (("A", ()), ("B", ("--raw",))):
        document, _ = _evaluated(Path(f"{name}={trained.folder}"), cohort, *options)
        files.append(tmp_path / f"{name}.json")
        write_json(files[-1], document)
    out = StringIO()
    given = ("report_models", *files, "--out", tmp_path / "report", "--json")
    with pytest.raises(SystemExit):
        call_command(*map(str, given), stdout=out, stderr=StringIO())
    [finding] = json.loads(out.getvalue())["findings"]
    assert finding.startswith("Masks of A were cleaned as is best for the other folds, those of B not")


def test_models_of_random_splits_are_compared_where_the_splits_are_alike() -> None:
    def rows(*splits: Sequence[str]) -> list[dict[str, Any]]:
        return [{"patient": patient, "fold": number} for number, own in enumerate(splits) for patient in own]

    shared = ["a", "b", "c"]
    assert are_alike(rows("ab", "bc"), rows("bc", "ab"), shared)
    assert are_alike(rows("abx", "bc"), rows("bcy", "ab"), shared)
    assert not are_alike(rows("ab", "bc"), rows("ab", "ac"), shared)


class _Mean:
    """The mean of what some segmenters draw."""

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = members

    def segment(self, request: Any) -> Any:
        from training.methods.mean import MeanSegmenter

        return MeanSegmenter(self.members, title="mean").segment(request)


def _refused(*arguments: object) -> str:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    return str(json.loads(out.getvalue())["code"])
