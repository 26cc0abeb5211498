"""Rounds of annotating, approving and training: who is drawn when, what is learned from, and what a kill costs."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.image.volume import Volume
from tests.training.support.ball_examples import ball
from tests.training.support.small_training import make_small
from tests.training.support.synthetic import lps_grid
from training.annotators.study import StudyRules
from training.fitting.choice import TrainingChoice
from training.fitting.examples import Example
from training.model_package import read_description
from training.rounds.folder import FolderLoop
from training.rounds.plan import RoundsPlan, planned_rounds
from training.rounds.report import curve_points, rose_every_round, rounds_report
from training.rounds.rounds import LIST_NAME, LearningRounds, RoundsRules, strategies_of
from training.rounds.work import CaseWork, worked
from training.table.table import method_called

PATIENTS = {f"case-{number}": f"patient-{number}" for number in range(9)}


def example(case: str) -> Example:
    """A bright ball in noise, somewhere else in each case, so large that no single stroke draws a slice of it."""
    number = int(case.rpartition("-")[2])
    random, grid = np.random.default_rng(number), lps_grid((64, 56, 14), (1.0, 1.0, 4.0))
    inside = ball(grid, np.array(grid.shape) * random.uniform(0.42, 0.58, 3), float(random.uniform(17.0, 20.0)))
    image = (200.0 + 100.0 * inside + random.normal(0, 10, grid.shape)).astype(np.float32)
    return Example(case, PATIENTS[case], {"t1": Volume(image, grid)}, Mask(inside.astype(np.uint8), grid))


def silent(_what: str) -> Callable[..., None]:
    return lambda *_told: None


def rules(**values: object) -> RoundsRules:
    choice = TrainingChoice(method_called("unet-25d"), ("t1",), options={"learning_rate": 2e-2})
    return RoundsRules(choice, **{"iterations_a_case": 10, **values})  # type: ignore[arg-type]


def rounds_in(folder: Path, own: RoundsRules, plan: RoundsPlan, progress_of: object = silent) -> LearningRounds:
    loop = FolderLoop(plan, example, own, folder, progress_of=progress_of)  # type: ignore[arg-type]
    return LearningRounds(plan, loop, own, folder, inputs={}, progress_of=progress_of)  # type: ignore[arg-type]


def test_patients_are_in_one_round_or_held_out_with_all_their_cases() -> None:
    patient_of = {f"{patient}-{number}": f"p{patient}" for patient in range(12) for number in range(2)}
    plan = planned_rounds(patient_of, rounds=3, patients=3, seed=1)
    groups = [{patient_of[case] for case in cases} for cases in (*plan.rounds, plan.held_out)]
    assert [len(group) for group in groups] == [3, 3, 3, 3]
    assert len(set.union(*groups)) == 12
    assert [len(cases) for cases in plan.rounds] == [6, 6, 6]
    assert plan == planned_rounds(dict(reversed(patient_of.items())), rounds=3, patients=3, seed=1)
    assert plan != planned_rounds(patient_of, rounds=3, patients=3, seed=2)
    assert plan.approved_after(2) == (*plan.rounds[0], *plan.rounds[1])


@pytest.mark.parametrize(
    ("rounds", "patients", "code"), [(3, 3, "rounds-patients"), (0, 3, "rounds-numbers"), (2, 0, "rounds-numbers")]
)
def test_too_few_patients_are_refused_with_what_would_do(rounds: int, patients: int, code: str) -> None:
    with pytest.raises(RejectedInput, match=code) as refused:
        planned_rounds(PATIENTS, rounds=rounds, patients=patients, seed=0)
    assert refused.value.remedy


def test_a_method_that_draws_nothing_by_itself_is_refused() -> None:
    with pytest.raises(RejectedInput, match="rounds-method"):
        RoundsRules(TrainingChoice(method_called("six-points")))
    with pytest.raises(RejectedInput, match="fit-settings"):
        rules(iterations_a_case=0)
    with pytest.raises(RejectedInput, match="annotator-strategy"):
        strategies_of(["clicks"])


def test_a_good_draft_saves_actions_and_a_wrong_one_costs_some() -> None:
    case = example("case-0")
    truth = case.mask.foreground
    moved = np.roll(truth, 2, axis=0)
    far = np.zeros_like(truth)
    far[1:8, 1:8] = truth.any(axis=(0, 1))

    def actions(draft: Inside) -> list[CaseWork]:
        return worked(case, draft, rules().strategies, StudyRules(), models=1, is_held_out=True)[0]

    empty, perfect, near, wrong = (actions(draft)[0] for draft in (np.zeros_like(truth), truth, moved, far))
    assert perfect.actions == 0
    assert (perfect.draft_dice, perfect.unchanged, empty.draft_dice, empty.unchanged) == (1.0, 1.0, 0.0, 0.0)
    assert 0 < near.actions < empty.actions
    # Each slice of a draft that lies elsewhere is cleared, which is one action, and then drawn as an empty one.
    assert wrong.actions == empty.actions + np.count_nonzero(far.any(axis=(0, 1)))
    assert wrong.dice == empty.dice


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_dice_rises_and_actions_fall_with_every_round(tmp_path: Path) -> None:
    plan = planned_rounds(PATIENTS, rounds=3, patients=2, seed=0)
    rows = rounds_in(tmp_path, rules(), plan).run()
    points = curve_points(rows, plan, "by-hand-outlined")
    assert [point.cases for point in points] == [0, 2, 4, 6]
    assert rose_every_round(points) == (True, True)
    assert points[0].dice_mean.value == 0.0
    assert set(points[3].dice) == {PATIENTS[case] for case in plan.held_out}
    report = rounds_report(rows, plan)
    assert f"{points[3].dice_mean.value:.3f}" in report.page
    assert report.tables["learning-cases.csv"].count("\n") == 1 + len(rows)
    assert report.tables["learning-curve-by-hand-outlined.csv"].count("\n") == 1 + 4


@pytest.mark.usefixtures("small")
def test_what_the_annotator_left_is_learned_from_and_no_held_out_case(tmp_path: Path) -> None:
    plan = planned_rounds(PATIENTS, rounds=2, patients=2, seed=0)
    rows = rounds_in(tmp_path, rules(iterations_a_case=1), plan).run()
    [fitted] = read_description(tmp_path / "round-2" / "model").parameters["fit"]["members"]
    assert fitted["cases"] == sorted(plan.approved_after(2))
    kept = {path.name.partition(".")[0]: path for path in tmp_path.glob("round-*/masks/*")}
    assert set(kept) == set(plan.approved_after(2))
    for case, path in kept.items():
        left, truth = read_mask(path).foreground, example(case).mask.foreground
        assert (left != truth).any()
        [row] = [row for row in rows if row.case == case and row.strategy == "by-hand-outlined"]
        assert row.dice == pytest.approx(2 * (left & truth).sum() / (left.sum() + truth.sum()), abs=1e-4)


@pytest.mark.usefixtures("small")
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_table(tmp_path: Path) -> None:
    plan, own = planned_rounds(PATIENTS, rounds=2, patients=2, seed=0), rules(iterations_a_case=2)
    whole = rounds_in(tmp_path / "whole", own, plan).run()
    folder = tmp_path / "stopped"
    found: Sequence[CaseWork] = ()
    stops = 0
    while not found:
        left = iter(range(4 + 5 * stops))

        def stopping(_what: str, left: Iterator[int] = left) -> Callable[..., None]:
            def show(*_told: object) -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt

            return show

        try:
            found = rounds_in(folder, own, plan, stopping).run()
        except KeyboardInterrupt:
            stops += 1
            if stops == 1:  # cut off, as a machine that lost power leaves it
                next(folder.glob("round-0/work/*.json")).write_text('[{"case"')
    assert stops >= 5
    assert [row.as_dict() for row in found] == [row.as_dict() for row in whole]
    digests = [read_description(tmp_path / name / "round-2" / "model").digest for name in ("whole", "stopped")]
    assert digests[0] == digests[1]


@pytest.mark.usefixtures("small")
def test_a_folder_of_other_rounds_is_refused(tmp_path: Path) -> None:
    plan = planned_rounds(PATIENTS, rounds=2, patients=2, seed=0)
    rounds_in(tmp_path, rules(), plan)
    rounds_in(tmp_path, rules(), plan)
    other = replace(rules(), annotator=StudyRules(seed=1))
    for own, its_plan in ((other, plan), (rules(), planned_rounds(PATIENTS, rounds=2, patients=2, seed=5))):
        with pytest.raises(RejectedInput, match="rounds-differ"):
            rounds_in(tmp_path, own, its_plan)
    (tmp_path / LIST_NAME).write_text("{")
    with pytest.raises(RejectedInput, match="rounds-differ"):
        rounds_in(tmp_path, rules(), plan)
    shutil.rmtree(tmp_path)
    rounds_in(tmp_path, rules(), plan)
    assert json.loads((tmp_path / LIST_NAME).read_text())["held_out"] == list(plan.held_out)
