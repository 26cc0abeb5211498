"""Rounds of learning in a study: real approvals, runs and models by simulated people, and the curve on the page."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.history.models import Event, EventKind
from annotation_backend.labeling.models import Correction, CorrectionKind
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.retraining.rules import RetrainingRules, change_rules
from annotation_backend.learning.rounds.in_folder import phantom_examples
from annotation_backend.learning.rounds.in_study import (
    SIMULATED_ANNOTATOR,
    SIMULATED_RADIOLOGIST,
    StudyRounds,
    simulate_in_study,
)
from annotation_backend.learning.runs.learning_curve import NO_DRAFT, curves_of
from annotation_backend.review.models import Review, Verdict
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from datasets.errors import RejectedInput
from datasets.phantom.protocol_cohort import write_cohort_of
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitName, SplitRule
from tests.annotation_backend.support.records import published, registered_case, saved, second_study, signed_in
from tests.training.support.small_training import make_small
from training.fitting.choice import TrainingChoice
from training.rounds.rounds import RoundsRules
from training.rounds.work import CaseWork
from training.table.table import method_called

pytestmark = pytest.mark.django_db

CHOICE = TrainingChoice(method_called("unet-25d"), ("t1",), options={"learning_rate": 2e-2})


def silent(_what: str) -> Callable[..., None]:
    return lambda *_told: None


def asked(study: Study, out: Path) -> StudyRounds:
    split = SplitRule(SplitName.STRATIFIED, folds=2, seed=0)
    return StudyRounds(study, RoundsRules(CHOICE, iterations_a_case=2), 2, 2, split, out)


def kept_work(out: Path) -> dict[tuple[int, str], CaseWork]:
    """The first strategy's work by the number of models and the case."""
    rows = [CaseWork(**json.loads(path.read_text())[0]) for path in out.glob("round-*/work/*.json")]
    return {(row.models, row.case): row for row in rows}


@pytest.mark.slow
def test_rounds_in_a_study_are_records_of_simulated_people_and_the_curve_is_on_its_page(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, people: dict[Role, User]
) -> None:
    make_small(monkeypatch)
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    study = second_study("simulation", protocol="t1")
    write_cohort_of(study.protocol, tmp_path / "phantoms", patients=7, size=64)
    ingest(tmp_path / "phantoms", study=study, workers=1)
    register_cases(select_cases(None, study=study), workers=1)
    export_cases(select_cases(None, study=study), workers=1)
    out = tmp_path / "rounds"
    change_rules(study, RetrainingRules(external=ExternalCohort("far", cases=("elsewhere",))))
    found = simulate_in_study(asked(study, out), silent)

    runs = list(Run.objects.filter(study=study).order_by("pk"))
    assert [run.status for run in runs] == [RunStatus.DONE, RunStatus.DONE]
    assert [set(run.snapshot.cases) for run in runs] == [
        set(found["rounds"][0]),
        {*found["rounds"][0], *found["rounds"][1]},
    ]
    assert [run.settings["iterations"] for run in runs] == [4, 8]
    assert {run.settings["external"]["name"] for run in runs} == {"far"}
    assert found["models"] == [str(run.model) for run in runs]
    first, second = ({case: number for number, fold in enumerate(run.folds) for case in fold} for run in runs)
    assert {case: second[case] for case in first} == first  # folds are kept

    reviews = Review.objects.filter(mask__case__study=study)
    assert {(row.reviewer.username, row.verdict) for row in reviews} == {(SIMULATED_RADIOLOGIST, Verdict.APPROVE.value)}
    drawn = Correction.objects.filter(case__study=study)
    assert {(row.author.username, row.kind) for row in drawn if row.author} == {
        (SIMULATED_ANNOTATOR, CorrectionKind.SIMULATED.value)
    }
    assert len(reviews) == len(drawn) == 4
    assert not User.objects.get(username=SIMULATED_ANNOTATOR).has_usable_password()

    work = kept_work(out)
    outcomes = {row["case"]: row for row in runs[1].drafts}
    for number, model in ((0, None), (1, runs[0].model_id)):
        for case in found["rounds"][number]:
            row = work[number, case]
            assert outcomes[case]["model"] == model
            assert outcomes[case]["actions"] == row.actions
            assert outcomes[case]["changed"] == pytest.approx(1.0 - row.unchanged, abs=2e-4)
    assert Event.objects.filter(study=study, kind=EventKind.SIMULATED).count() == 4

    give_role(study, people[Role.DATA_MANAGER], Role.DATA_MANAGER)
    page = signed_in(people[Role.DATA_MANAGER]).get(f"/studies/{study}/models/").content.decode()
    [curve] = curves_of(study)
    assert (curve.patients, curve.models) == (2, 2)
    assert [row.model for row in curve.rows] == [NO_DRAFT, *found["models"]]
    assert [row.cases for row in curve.rows] == [0, 2, 4]
    of_first_drafts = [work[1, case].actions for case in found["rounds"][1]]
    assert curve.rows[1].actions[0] == pytest.approx(np.mean(of_first_drafts))
    assert f"{curve.rows[1].dice[0]:.3f}" in re.sub(r"\s+", " ", page)
    assert page.count('<figure class="curve">') == len(curve.plots) >= 2

    again = simulate_in_study(asked(study, out), silent)
    assert again == found
    assert Run.objects.filter(study=study).count() == 2
    other = replace(asked(study, tmp_path / "other"), rules=RoundsRules(CHOICE, iterations_a_case=3))
    with pytest.raises(RejectedInput, match="rounds-study-in-use"):
        simulate_in_study(other, silent)
    with pytest.raises(RejectedInput, match="rounds-differ"):
        simulate_in_study(replace(other, out=out), silent)


def test_a_study_in_which_somebody_drew_is_refused(tmp_path: Path, people: dict[Role, User]) -> None:
    task = published(registered_case())[2]
    with pytest.raises(RejectedInput, match="rounds-no-reference"):
        simulate_in_study(asked(task.case.study, tmp_path), silent)
    saved(task)
    with pytest.raises(RejectedInput, match="rounds-study-in-use") as refused:
        simulate_in_study(asked(task.case.study, tmp_path), silent)
    assert refused.value.remedy
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--phantoms", "9", "--study", "mstt-199"], "options-incomplete"),
        ([], "options-incomplete"),
        (["--cohort", "."], "options-incomplete"),
        (["--phantoms", "9", "--folds", "3"], "option-elsewhere"),
        (["--study", "mstt-199", "--cleaning", "both"], "option-elsewhere"),
        (["--phantoms", "9", "--epochs", "3", "--method", "unet-3d"], "option-elsewhere"),
        (["--phantoms", "9", "--iterations", "3", "--iterations-a-case", "3"], "options-incomplete"),
        (["--phantoms", "0"], "phantoms-count"),
        (["--phantoms", "9"], "rounds-patients"),
        (["--phantoms", "9", "--method", "six-points"], "rounds-method"),
        (["--phantoms", "9", "--strategies", "clicks"], "annotator-strategy"),
        (["--study", "nowhere"], "study-unknown"),
    ],
)
def test_bad_input_is_refused_by_name(
    options: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("simulate_learning", *options, "--out", str(tmp_path / "out"), "--json")
    assert ended.value.code == 2
    assert json.loads(capsys.readouterr().out)["code"] == code
    assert not (tmp_path / "out").exists()


def test_phantoms_are_the_same_whatever_their_number() -> None:
    few, many = phantom_examples(2, seed=3), phantom_examples(5, seed=3)
    one, other = few.load("PHANTOM-0002"), many.load("PHANTOM-0002")
    np.testing.assert_array_equal(one.volumes["t2-fs"].data, other.volumes["t2-fs"].data)
    np.testing.assert_array_equal(one.mask.data, other.mask.data)
    assert few.inputs != phantom_examples(2, seed=4).inputs
    differs = phantom_examples(2, seed=4).load("PHANTOM-0002").mask.data
    assert (differs != one.mask.data).any()


@pytest.mark.slow
def test_the_command_writes_the_report_of_phantoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_small(monkeypatch)
    out = tmp_path / "out"
    arguments = ["--phantoms", "5", "--rounds", "1", "--patients", "2", "--iterations", "1", "--out", str(out)]
    call_command("simulate_learning", *arguments, "--strategies", "strokes", "--no-prepared", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [point["cases"] for point in told["curves"]["strokes"]] == [0, 2]
    assert len(told["held_out"]) == 3
    for name in told["files"]:
        assert (out / name).stat().st_size > 0
