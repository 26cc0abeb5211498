"""Cross-validation: no model ever sees a patient of its own fold, folds are kept, and others are refused."""

from pathlib import Path
from typing import Any

import pytest

from datasets.errors import RejectedInput
from datasets.files import write_json
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import Folds, SplitCase
from tests.training.support.ball_examples import ball_example
from training.fitting.choice import Trained, TrainingChoice
from training.methods import crossvalidation
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds, begin_folds, train_fold
from training.model_package import read_description
from training.segmenters.segmenter import SegmentationRequest
from training.table.table import method_called

CHOICE = TrainingChoice(method_called("clicks-3d"), iterations=2, options={"canvas": (16, 16, 8)})
INPUTS = {"cohort": "a" * 64}
EXAMPLES = [ball_example(number, shape=(20, 20, 10), patient=f"patient-{number // 2}") for number in range(12)]
EARLIER = [
    ["case-10", "case-11", "case-6", "case-7"],
    ["case-0", "case-1", "case-4", "case-5"],
    ["case-2", "case-3", "case-8", "case-9"],
]
"""The folds of these patients, three of seed 0, that were drawn before there were rules."""

PAIRS = [(example.case, example.patient) for example in EXAMPLES]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """What each training was given; what comes out is an untrained network of the plan."""
    from training.fitting.clicks import ClickSettings
    from training.fitting.running.settings import LoopSettings
    from training.networks.dyn_unet import dyn_unet
    from training.segmenters.weights import tensors_of

    given: list[list[Any]] = []

    def train(choice: TrainingChoice, examples: Any, **_: Any) -> Trained:
        given.append(list(examples))
        if not examples:
            raise RejectedInput("fit-no-cases", "Expected cases, got none.", remedy="Give some.")
        plan = ClickSettings(LoopSettings(1), canvas=(16, 16, 8), widths=(4, 8, 8)).plan(automatic=False)
        return Trained(choice, plan.parameters, [tensors_of(dyn_unet(plan.refiner))], [[1.0]])

    monkeypatch.setattr(crossvalidation, "train_method", train)
    return given


def _split(pairs: list[tuple[str, str]], *, folds: int, seed: int) -> Folds:
    """The folds of trainings of earlier versions."""
    cases = [SplitCase(case, patient, "unknown") for case, patient in pairs]
    return SplitRule(SplitName.GROUPED, folds=folds, seed=seed).test_sets(cases)


def trained_folds(folder: Path, count: int = 3) -> TrainedFolds:
    return begin_folds(folder, _split(PAIRS, folds=count, seed=0))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_patient_is_in_one_fold(seed: int, count: int) -> None:
    folds = _split(PAIRS, folds=count, seed=seed)
    patient_of = dict(PAIRS)
    assert sorted(case for fold in folds for case in fold) == sorted(patient_of)
    assert len(folds) == count
    patients = [{patient_of[case] for case in fold} for fold in folds]
    assert sum(len(each) for each in patients) == len(set(patient_of.values()))
    assert folds == _split(PAIRS[::-1], folds=count, seed=seed)


def test_no_model_sees_a_patient_of_its_fold(tmp_path: Path, seen: list[list[Any]]) -> None:
    trained = trained_folds(tmp_path)
    for number, fold in enumerate(trained.folds):
        train_fold(CHOICE, EXAMPLES, trained, number, inputs=INPUTS)
        own = {example.patient for example in EXAMPLES if example.case in fold}
        learned = seen[number]
        assert not {example.patient for example in learned} & own
        assert {example.case for example in learned} == {case for case, patient in PAIRS if patient not in own}
        description = read_description(trained.package(number))
        assert (description.name, description.version) == ("clicks-3d-fold", str(number + 1))
        assert description.inputs == INPUTS


@pytest.mark.slow
def test_another_case_of_a_folds_patient_is_left_out_too(tmp_path: Path, seen: list[list[Any]]) -> None:
    """One that came after the folds were drawn is in none of them."""
    trained = trained_folds(tmp_path)
    patient = dict(PAIRS)[trained.folds[0][0]]
    late = ball_example(50, shape=(20, 20, 10), patient=patient)
    train_fold(CHOICE, [*EXAMPLES, late], trained, 0, inputs=INPUTS)
    assert patient not in {example.patient for example in seen[0]}
    train_fold(CHOICE, [*EXAMPLES, late], trained, 1, inputs=INPUTS)
    assert late in seen[1]


def test_a_fold_is_trained_once_and_otherwise_refused(tmp_path: Path, seen: list[list[Any]]) -> None:
    trained = trained_folds(tmp_path)
    folder = train_fold(CHOICE, EXAMPLES, trained, 0, inputs=INPUTS)
    assert train_fold(CHOICE, EXAMPLES, trained, 0, inputs=INPUTS) == folder
    assert len(seen) == 1
    other = TrainingChoice(method_called("clicks-3d"), iterations=3, options={"canvas": (16, 16, 8)})
    with pytest.raises(RejectedInput, match="fold-differs"):
        train_fold(other, EXAMPLES, trained, 0, inputs=INPUTS)


@pytest.mark.slow
def test_each_case_is_drawn_by_the_model_of_its_fold(tmp_path: Path, seen: list[list[Any]]) -> None:
    trained = trained_folds(tmp_path)
    for number in range(len(trained.folds)):
        train_fold(CHOICE, EXAMPLES, trained, number, inputs=INPUTS)
    segmenter_of = FoldSegmenters(TrainedFolds.read(tmp_path))
    assert sorted(case for fold in trained.folds for case in fold) == sorted(case for case, _ in PAIRS)
    for number, fold in enumerate(trained.folds):
        for case in fold:
            volumes = next(example.volumes for example in EXAMPLES if example.case == case)
            answer = segmenter_of(case).segment(SegmentationRequest(volumes, "t1"))
            assert answer.model_version == f"clicks-3d-fold-{number + 1}"


def test_a_fold_that_was_not_trained_is_missed(tmp_path: Path, seen: list[list[Any]]) -> None:
    trained = trained_folds(tmp_path)
    train_fold(CHOICE, EXAMPLES, trained, 0, inputs=INPUTS)
    with pytest.raises(RejectedInput, match="package-missing"):
        FoldSegmenters(trained)(trained.folds[1][0])


def test_folds_are_found_again_and_others_refused(tmp_path: Path) -> None:
    folds = _split(PAIRS, folds=3, seed=0)
    assert begin_folds(tmp_path / "a", folds) == begin_folds(tmp_path / "a", folds) == TrainedFolds.read(tmp_path / "a")
    with pytest.raises(RejectedInput, match="folds-differ"):
        begin_folds(tmp_path / "a", _split(PAIRS, folds=3, seed=1))


def test_folds_of_one_rule_are_kept_as_they_were_written(tmp_path: Path) -> None:
    """A site that was corrected while a training stood still must not move cases between its folds."""
    rule = SplitRule(folds=2)
    begun = begin_folds(tmp_path, (("a", "b"), ("c", "d")), rule)
    assert begin_folds(tmp_path, (("a", "c"), ("b", "d")), rule) == begun
    assert TrainedFolds.read(tmp_path) == begun
    for folds, other in [
        ((("a", "c"), ("b", "e")), rule),
        ((("a", "c"), ("b", "d")), SplitRule(folds=2, seed=1)),
        ((("a", "c"), ("b", "d")), None),
    ]:
        with pytest.raises(RejectedInput, match="folds-differ"):
            begin_folds(tmp_path, folds, other)


def test_a_folder_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    write_json(tmp_path / "folds.json", {"folds": EARLIER})
    rule = SplitRule(SplitName.GROUPED, folds=3, seed=0)
    found = begin_folds(tmp_path, _split(PAIRS, folds=3, seed=0), rule)
    assert found.rule is None
    assert [list(fold) for fold in found.folds] == EARLIER


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"folds": 3}', '{"folds": [1]}', "\xff"])
def test_folders_without_folds_are_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "folds.json").write_text(content, encoding="latin-1")
    with pytest.raises(RejectedInput, match="folds-missing"):
        TrainedFolds.read(tmp_path)


def test_one_patient_alone_leaves_nothing_to_learn_from(tmp_path: Path, seen: list[list[Any]]) -> None:
    trained = begin_folds(tmp_path, (("case-0", "case-1"),))
    with pytest.raises(RejectedInput, match="fit-no-cases"):
        train_fold(CHOICE, EXAMPLES[:2], trained, 0, inputs=INPUTS)


def test_cases_that_several_splits_try_are_known(tmp_path: Path) -> None:
    assert TrainedFolds(tmp_path, (("a", "b"), ("b", "c"), ("a", "c", "d"))).tried_again == ((), ("b",), ("a", "c"))
    assert not any(TrainedFolds(tmp_path, (("a",), ("b",))).tried_again)
