"""Trainings that begin by themselves: when they are due, how asks are merged, and what is said where one fails."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.doctor.processes import trainings
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.signals import time_passed, training_asked
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning import jobs, reactions
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.jobs import ask_for_training, train_on_approved
from annotation_backend.learning.management.commands import train_model
from annotation_backend.learning.models import AskedBy, Run, RunStatus, TrainingAsk
from annotation_backend.learning.retraining.asking import due, failed_ask, needless_ask
from annotation_backend.learning.retraining.kept_folds import keep_folds
from annotation_backend.learning.retraining.rules import RetrainingRules, change_rules, rules_of
from annotation_backend.learning.runs.recording import recorded_run
from annotation_backend.learning.snapshot_training import train_on_snapshot
from datasets.errors import RejectedInput
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.rule import SplitName, SplitRule
from tests.annotation_backend.learning.tried_models import tried_model
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, published, registered_case, saved, signed_in, the_study
from tests.training.support.small_training import make_small
from training.fitting.choice import TrainingChoice
from training.methods.crossvalidation import TrainedFolds
from training.table.table import method_called

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)
    settings.DATA_FOLDER = tmp_path / "data"


def _approved(people: dict[Role, User], *numbers: int) -> None:
    for number in numbers:
        code = f"C000{number}"
        saved(published(registered_case(code), first_task=100 * number)[2], identifier=number)
        mask = assemble(Case.objects.get(code=code))
        assert mask is not None
        approve(mask, people[Role.RADIOLOGIST])


def _trained_on_what_is_approved(*, ended: int = 0) -> Run:
    run = Run.objects.create(
        study=the_study(), snapshot=take_snapshot(the_study()), method="unet-25d", settings={}, status=RunStatus.DONE
    )
    Run.objects.filter(pk=run.pk).update(started=timezone.now() - timedelta(days=ended))
    return run


def test_nothing_is_due_unless_a_study_says_so(people: dict[Role, User]) -> None:
    _approved(people, 1, 2)
    rules = rules_of(the_study())
    assert (rules.after_cases, rules.every_days, rules.by_button) == (None, None, True)
    assert due(the_study()) is None


def test_so_many_new_approved_cases_are_due(people: dict[Role, User]) -> None:
    change_rules(the_study(), RetrainingRules(after_cases=2))
    _approved(people, 1)
    assert due(the_study()) is None
    _approved(people, 2)
    assert due(the_study()) == AskedBy.CASES
    _trained_on_what_is_approved()
    assert due(the_study()) is None
    _approved(people, 3)
    assert due(the_study()) is None
    _approved(people, 4)
    assert due(the_study()) == AskedBy.CASES


def test_the_clock_asks_where_the_last_training_is_old_and_its_masks_are_not_those_of_now(
    people: dict[Role, User],
) -> None:
    change_rules(the_study(), RetrainingRules(every_days=7))
    assert due(the_study()) is None, "nothing is approved"
    _approved(people, 1)
    assert due(the_study()) == AskedBy.CLOCK
    run = _trained_on_what_is_approved(ended=8)
    assert due(the_study()) is None, "the same masks are not trained on twice"
    _approved(people, 2)
    assert due(the_study()) == AskedBy.CLOCK
    Run.objects.filter(pk=run.pk).update(started=timezone.now() - timedelta(days=6))
    assert due(the_study()) is None


@pytest.mark.parametrize(
    "wrong", [{"after_cases": 0}, {"every_days": 366}, {"folds": 1}, {"iterations": 0}, {"method": "lite-medsam"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput, match="retraining-settings"):
        RetrainingRules(**wrong)


def test_a_second_ask_is_counted_with_the_one_that_waits() -> None:
    assert ask_for_training(the_study(), AskedBy.BUTTON)
    assert not ask_for_training(the_study(), AskedBy.CASES)
    [row] = TrainingAsk.objects.all()
    assert (row.why, row.count) == ("button", 2)
    assert DBTaskResult.objects.filter(task_path=train_on_approved.module_path).count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingAsk.objects.create(study=the_study(), why=AskedBy.CLOCK)


def test_while_another_training_runs_the_ask_waits_and_the_reconciler_takes_it_up(people: dict[Role, User]) -> None:
    _approved(people, 1)
    ask_for_training(the_study(), AskedBy.BUTTON)
    with recorded_run(take_snapshot(the_study()), "unet-25d", {"by": "hand"}):
        assert train_on_approved.func(study=the_study().name) is None
        assert TrainingAsk.objects.get().begun is None
        DBTaskResult.objects.all().delete()
        time_passed.send(sender=LabelingProject)
        assert not DBTaskResult.objects.filter(task_path=train_on_approved.module_path).exists()
    time_passed.send(sender=LabelingProject)
    assert DBTaskResult.objects.filter(task_path=train_on_approved.module_path).count() == 1


def test_the_reconciler_asks_when_it_is_due(people: dict[Role, User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "LOOK_SECONDS", 0.0)
    _approved(people, 1)
    time_passed.send(sender=LabelingProject)
    assert not TrainingAsk.objects.exists()
    change_rules(the_study(), RetrainingRules(after_cases=1))
    time_passed.send(sender=LabelingProject)
    assert TrainingAsk.objects.get().why == AskedBy.CASES


def test_a_failure_is_named_by_page_and_doctor_until_one_is_done(people: dict[Role, User]) -> None:
    change_rules(the_study(), RetrainingRules(folds=5))
    _approved(people, 1)
    trainings()
    ask_for_training(the_study(), AskedBy.BUTTON)
    assert train_on_approved.func(study=the_study().name) is None
    asked = failed_ask(the_study())
    assert asked is not None
    assert asked.run is not None
    assert asked.run.status == RunStatus.FAILED
    with pytest.raises(RejectedInput, match="training-failed") as refusal:
        trainings()
    assert asked.error in str(refusal.value)
    with recorded_run(take_snapshot(the_study()), "unet-25d", {}):
        pass
    trainings()


def test_the_button_can_be_turned_off() -> None:
    change_rules(the_study(), RetrainingRules(by_button=False))
    with pytest.raises(RejectedInput, match="training-button-off"):
        training_asked.send(sender=LabelingProject, study=the_study())
    assert not TrainingAsk.objects.exists()


def test_folds_are_kept_from_one_training_to_the_next(tmp_path: Any) -> None:
    """C2 left; C4 and C5 came: the folds of one and none other case take them, the smaller one first."""
    rule = SplitRule(SplitName.STRATIFIED, folds=2, seed=0)
    model = tried_model("before", {"C1": 0.5, "C2": 0.5, "C3": 0.5}, (("C1", "C3"), ("C2",)))
    Run.objects.filter(model=model).update(settings={"label": "Tumour", "split": rule.described})
    patients = {code: code.replace("C", "P") for code in ("C1", "C3", "C4", "C5")}
    keep_folds(tmp_path / "work", rule, patients, study=the_study())
    assert TrainedFolds.read(tmp_path / "work").folds == (("C1", "C3"), ("C4", "C5"))
    three = SplitRule(SplitName.STRATIFIED, folds=3, seed=0)
    keep_folds(tmp_path / "other", three, patients, study=the_study())
    assert not (tmp_path / "other").exists()


def test_folds_are_kept_from_one_method_to_another(tmp_path: Any) -> None:
    rule = SplitRule(SplitName.STRATIFIED, folds=2, seed=0)
    model = tried_model("before", {"C1": 0.5, "C2": 0.5}, (("C2",), ("C1",)))
    Run.objects.filter(model=model).update(method="unet-3d", settings={"split": rule.described})
    keep_folds(tmp_path / "work", rule, {"C1": "P1", "C2": "P2"}, study=the_study())
    assert TrainedFolds.read(tmp_path / "work").folds == (("C2",), ("C1",))


def test_folds_that_follow_from_the_cases_are_not_kept(tmp_path: Any) -> None:
    """Kept, a new tissue type would join another one's fold."""
    rule = SplitRule(SplitName.TYPE_OUT)
    model = tried_model("before", {"C1": 0.5, "C2": 0.5}, (("C2",), ("C1",)))
    Run.objects.filter(model=model).update(settings={"split": rule.described})
    keep_folds(tmp_path / "work", rule, {"C1": "P1", "C2": "P2", "C3": "P3"}, study=the_study())
    assert not (tmp_path / "work").exists()


def test_the_same_masks_are_trained_on_again_with_other_settings_and_the_page_says_when_they_are_not(
    people: dict[Role, User],
) -> None:
    """A run of the command with three iterations is not the training that the settings ask for."""
    _approved(people, 1)
    by_command = TrainingChoice(method_called("unet-25d"), ("t1", "t2"), iterations=3)
    first = train_on_snapshot(take_snapshot(the_study()), by_command, progress_of=lambda _what: lambda *_told: None)
    change_rules(the_study(), RetrainingRules(iterations=2))
    ask_for_training(the_study(), AskedBy.BUTTON)
    train_on_approved.func(study=the_study().name)
    [asked] = TrainingAsk.objects.all()
    assert asked.run is not None
    assert (asked.error, asked.run.settings["iterations"]) == ("", 2)
    assert asked.run != first
    assert needless_ask(the_study()) is None
    ask_for_training(the_study(), AskedBy.BUTTON)
    train_on_approved.func(study=the_study().name)
    assert Run.objects.count() == 2
    needless = needless_ask(the_study())
    assert needless is not None
    assert needless.run == asked.run
    page = signed_in(people[Role.DATA_MANAGER]).get(page_at("model-list")).content.decode()
    assert "Nothing was trained for the last ask" in page


def test_a_retraining_learns_from_the_images_that_the_command_takes(
    people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    _approved(people, 1)
    asked: list[tuple[str, ...]] = []

    def train(_snapshot: Any, choice: TrainingChoice, **_options: Any) -> None:
        asked.append(choice.channels)
        raise RejectedInput("seen", "Enough was seen.", remedy="None.")

    for module in (jobs, train_model):
        monkeypatch.setattr(module, "train_on_snapshot", train)
    for method in ("six-points", "unet-25d"):
        change_rules(the_study(), RetrainingRules(method=method))
        train_on_approved.func(study=the_study().name)
        with suppress(SystemExit):
            call_command("train_model", method)
    assert asked == [("t1",), ("t1",), ("t1", "t2-fs"), ("t1", "t2-fs")]


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [((0.9,), None), ((1.1,), AskedBy.CASES), ((6, 5, 3.9), None), ((6, 5, 4.1), AskedBy.CASES)],
)
def test_after_failures_nothing_is_due_for_a_day_and_then_twice_as_long_each_time(
    days_ago: tuple[float, ...], expected: AskedBy | None, people: dict[Role, User]
) -> None:
    """What failed learned nothing, so its masks are new ones still; three failures wait for four days."""
    change_rules(the_study(), RetrainingRules(after_cases=1, every_days=7))
    _approved(people, 1)
    for days in days_ago:
        run = _trained_on_what_is_approved()
        Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED)
        begun = timezone.now() - timedelta(days=days)
        TrainingAsk.objects.create(
            study=the_study(), why=AskedBy.CLOCK, begun=begun, run=run, error="The disk is full."
        )
    assert due(the_study()) == expected
    _trained_on_what_is_approved()
    assert due(the_study()) is None, "the same masks are not trained on twice"


COHORT = ExternalCohort("strangers", patients=("P0002",))


def test_an_external_cohort_is_held_back_from_every_training_of_a_study(
    people: dict[Role, User], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    change_rules(the_study(), RetrainingRules(after_cases=1, iterations=1, external=COHORT))
    assert rules_of(the_study()).external == COHORT
    _approved(people, 1)
    _trained_on_what_is_approved()
    _approved(people, 2)
    assert due(the_study()) is None, "a stranger's case is nothing to learn from"
    ask_for_training(the_study(), AskedBy.BUTTON)
    train_on_approved.func(study=the_study().name)
    run = Run.objects.order_by("pk").last()
    assert run is not None
    assert run.settings["external"] == {"name": "strangers", "digest": COHORT.digest}
    assert any("C0002" in said for said in run.findings)
    assert any("external-no-pixels" in said for said in run.findings)
    with suppress(SystemExit):
        call_command("nnunet", "export", "--work", str(tmp_path / "work"), "--folds", "2", "--json")
    said = json.loads(capsys.readouterr().out)
    assert "C0002" not in str(said.get("cases", [])), said
    assert said["code"] == "folds-patients", "one patient is left"
    other = tmp_path / "other.json"
    other.write_bytes(ExternalCohort("others", patients=("P0001",)).encoded)
    with suppress(SystemExit):
        call_command("train_model", "--external", str(other), "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "external-bound"
