"""What a run records; one trains at a time in a study, a stopped one goes on, a withdrawn patient ends it."""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.runs import held_out, recording
from annotation_backend.learning.runs.held_out import picture_file
from annotation_backend.learning.runs.recording import end_lost_runs, is_running, recorded_run
from annotation_backend.learning.runs.withdrawn import withdrawn_by_model
from annotation_backend.learning.snapshot_training import train_on_snapshot
from annotation_backend.registry.models import Model
from annotation_backend.supervision.presence import held
from datasets.errors import RejectedInput, TryAgain
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import UNKNOWN, SplitCase
from tests.annotation_backend.learning.tried_models import snapshot_of
from tests.annotation_backend.support.records import approve, published, registered_case, saved, the_study
from tests.training.support.small_training import make_small
from training.fitting.choice import TrainingChoice
from training.fitting.examples import Example
from training.fitting.running.running import ALONE, Running
from training.methods.crossvalidation import TrainedFolds
from training.table.table import method_called

pytestmark = pytest.mark.django_db

QUICK = TrainingChoice(method_called("unet-25d"), ("t1", "t2"), iterations=3)
TWO_FOLDS = SplitRule(SplitName.STRATIFIED, folds=2, seed=0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> None:
    make_small(monkeypatch)
    settings.DATA_FOLDER = tmp_path / "data"


def _approved(people: dict[Role, User], *codes: str) -> None:
    for number, code in enumerate(codes, start=1):
        saved(published(registered_case(code), first_task=100 * number)[2], identifier=number)
        mask = assemble(Case.objects.get(code=code))
        assert mask is not None
        approve(mask, people[Role.RADIOLOGIST])


def _train(progress: Any = lambda *_told: None, **options: Any) -> Run:
    return train_on_snapshot(take_snapshot(the_study()), QUICK, progress_of=lambda _what: progress, **options)


def test_a_name_that_another_model_has_is_refused_before_anything_is_learned(people: dict[Role, User]) -> None:
    _approved(people, "C0001")

    def fails(*_told: object) -> None:
        raise RejectedInput("first", "The first one fails.", remedy="Go on.")

    with pytest.raises(RejectedInput, match="first"):
        _train(fails)
    next_version = str(Run.objects.get().pk + 1)
    fields = {"method": "unet-25d", "digest": "f" * 64, "folder": "models/x", "images": ["t1"], "label": "Tumour"}
    Model.objects.create(name="unet-25d", version=next_version, prompt_kinds=[], **fields)
    with pytest.raises(RejectedInput, match="model-version-taken"):
        _train(lambda *_told: pytest.fail("It learned."))


@pytest.mark.slow
def test_a_run_with_folds_records_figures_pictures_folds_and_what_it_was_made_with(people: dict[Role, User]) -> None:
    _approved(people, "C0001", "C0002")
    run = _train(rule=TWO_FOLDS)
    run.refresh_from_db()
    assert run.status == RunStatus.DONE
    assert sorted(case for fold in run.folds for case in fold) == ["C0001", "C0002"]
    assert [(row["case"], row["patient"]) for row in run.figures] == [("C0001", "P0001"), ("C0002", "P0002")]
    assert {row["fold"] for row in run.figures} == {0, 1}
    assert run.summary["cases"] == 2
    assert run.summary["mean"] == pytest.approx(sum(row["dice"] for row in run.figures) / 2, abs=1e-4)
    for row in run.figures:
        assert picture_file(run, row["case"]).read_bytes().startswith(b"\x89PNG")
    names = [curve["name"] for curve in run.progress["curves"]]
    assert names == ["fold 1 of 2", "fold 2 of 2"]
    assert [len(curve["points"]) for curve in run.progress["curves"]] == [3, 3]
    assert {"version"} <= run.code.keys()
    assert {"python", "torch", "machine", "threads", "cores"} <= run.environment.keys()
    told = json.dumps([run.code, run.environment, run.settings, run.progress])
    assert socket.gethostname() not in told
    assert str(Path.home()) not in told
    assert run.settings["iterations"] == 3
    assert run.holder == ""


def test_one_trains_at_a_time_in_a_study(people: dict[Role, User]) -> None:
    _approved(people, "C0001")
    with recorded_run(take_snapshot(the_study()), "unet-25d", {"seed": 1}) as run:
        assert is_running(run)
        with pytest.raises(TryAgain, match="training-busy"):
            _train()
        assert Run.objects.count() == 1
    assert Run.objects.get().status == RunStatus.DONE


def test_a_run_whose_process_is_gone_has_stopped_and_goes_on_under_its_record() -> None:
    snapshot = snapshot_of({"C0001": "P0001"})
    with held("run", "1") as holder:
        run = Run.objects.create(
            study=the_study(), snapshot=snapshot, method="unet-25d", settings={"seed": 3}, holder=holder
        )
        assert is_running(run)
        assert end_lost_runs(the_study()) == 0
    assert not is_running(run), "its process let go of the lock"
    with recorded_run(snapshot, "unet-25d", {"seed": 3}) as again:
        assert again.pk == run.pk
    run.refresh_from_db()
    assert run.status == RunStatus.DONE
    Run.objects.update(status=RunStatus.RUNNING)
    assert end_lost_runs(the_study()) == 1
    with recorded_run(snapshot, "unet-25d", {"seed": 4}) as other:
        assert other.pk != run.pk, "other settings are another training"


def test_who_stops_a_training_finds_it_stopped_and_not_failed(people: dict[Role, User]) -> None:
    _approved(people, "C0001")

    def stop(done: int, _total: int, _loss: float | None = None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(stop)
    assert Run.objects.get().status == RunStatus.STOPPED
    run = _train()
    assert (run.status, Run.objects.count()) == (RunStatus.DONE, 1)


def test_a_patient_who_is_withdrawn_in_mid_training_ends_it_at_once(
    people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LOOK_SECONDS", 0.0)
    _approved(people, "C0001", "C0002")
    steps: list[int] = []

    def withdraw(done: int, _total: int, _loss: float | None = None) -> None:
        steps.append(done)
        if done == 1:
            exclude(Case.objects.get(code="C0001"), reason="Consent withdrawn.")
            prepared_cases().arrays("P0001", "d" * 64, lambda: {"images": np.zeros(3)})
            assert [*(data / "training").glob("*/checkpoints")]

    data = prepared_cases().folder.parent
    with pytest.raises(RejectedInput, match=r"C0001.*snapshot-left"):
        _train(withdraw)
    assert steps == [1], "the iterations after it are not spent"
    run = Run.objects.get()
    assert run.status == RunStatus.FAILED
    assert "C0001" in run.error
    assert Model.objects.count() == 0
    assert not [*(data / "training").glob("*")], "checkpoints of their images are gone"
    assert not [*prepared_cases().folder.glob("*/*")], "what the fold prepared after the exclusion is gone, too"
    assert _train().model is not None, "what is approved now is trained on"


def test_a_model_that_holds_a_withdrawn_patient_is_named(people: dict[Role, User]) -> None:
    _approved(people, "C0001", "C0002")
    model = _train().model
    assert model is not None
    assert withdrawn_by_model([model]) == {}
    exclude(Case.objects.get(code="C0002"), reason="Consent withdrawn.")
    assert withdrawn_by_model([model]) == {model.pk: ["C0002"]}


def test_a_training_is_not_stopped_by_a_record_that_cannot_be_drawn(
    people: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs pictures, not the training."""
    write, full = held_out.write_bytes, []

    def write_bytes(path: Path, content: bytes) -> None:
        if path.suffix == ".png":
            full.append(path)
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(held_out, "write_bytes", write_bytes)
    _approved(people, "C0001", "C0002")
    run = _train(rule=replace(TWO_FOLDS))
    assert len(full) >= 2
    assert run.status == RunStatus.DONE


@pytest.mark.django_db(transaction=True)
def test_what_a_stopped_training_keeps_goes_with_the_patient(people: dict[Role, User]) -> None:
    _approved(people, "C0001", "C0002")

    def stop(_done: int, _total: int, _loss: float | None = None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(stop)
    data = prepared_cases().folder.parent
    assert [*(data / "training").glob("*")]
    exclude(Case.objects.get(code="C0002"), reason="Consent withdrawn.")
    assert not [*(data / "training").glob("*")]


def test_an_error_that_is_not_ours_is_told_by_its_kind_alone() -> None:
    with pytest.raises(ValueError, match="Miller"), recorded_run(snapshot_of({"C0001": "P0001"}), "unet-25d", {}):
        raise ValueError("/home/Miller/scan.nii is broken")
    assert Run.objects.get().error == "ValueError; see data/logs/trainer.log."


def test_a_full_disk_is_named_wherever_a_training_writes() -> None:
    with (
        pytest.raises(RejectedInput, match="fit-disk-full") as refusal,
        recorded_run(snapshot_of({"C0001": "P0001"}), "unet-25d", {}),
    ):
        raise OSError(28, "No space left on device", "/data/training/Miller")
    assert Run.objects.get().error == str(refusal.value)
    assert "Miller" not in str(refusal.value)


def test_how_a_training_runs_is_recorded_and_makes_no_other_training_of_it() -> None:
    snapshot = snapshot_of({"C0001": "P0001"})
    with pytest.raises(KeyboardInterrupt), recorded_run(snapshot, "unet-25d", {"seed": 3}, how=ALONE.described):
        raise KeyboardInterrupt
    half = Running(precision="half").described
    with recorded_run(snapshot, "unet-25d", {"seed": 3}, how=half) as run:
        pass
    assert Run.objects.count() == 1
    assert run.settings == {"seed": 3, "precision": "half", "numbers": "float16", "compiled": False}
    assert run.asked == {"seed": 3}


def test_the_cleaning_of_a_fold_is_chosen_on_the_others(tmp_path: Path) -> None:
    """Two balls: an island beside the first costs it Dice, one beside the second is its tumour's other part.

    Each alone would be cleaned as suits it; what the other fold teaches is the opposite.
    """
    near, far = np.zeros((9, 9, 9), bool), np.zeros((9, 9, 9), bool)
    near[1:4, 1:4, 1:4], far[7, 7, 7] = True, True
    grid = Grid((9, 9, 9), np.eye(4))
    truths = {"C1": near, "C2": near | far}
    image = Volume(np.random.default_rng(0).random((9, 9, 9), np.float32), grid)
    examples = {
        case: Example(case, case.replace("C", "P"), {"t1": image}, Mask(inside.astype(np.uint8), grid))
        for case, inside in truths.items()
    }
    found = TrainingExamples(
        cases={case: SplitCase(case, case.replace("C", "P"), UNKNOWN) for case in truths},
        load=examples.__getitem__,
        images_of=lambda _case: (),
        size_of=lambda _case: 1.0,
        inputs={},
    )
    run = Run.objects.create(
        study=the_study(),
        snapshot=snapshot_of({"C1": "P1", "C2": "P2"}),
        method="unet-25d",
        settings={},
        figures=[
            {"case": "C1", "patient": "P1", "fold": 0, "dice": 0.9818},
            {"case": "C2", "patient": "P2", "fold": 1, "dice": 1.0},
        ],
    )
    tried = held_out.HeldOut(run, TrainedFolds(tmp_path, (("C1",), ("C2",))), found, 0)
    for fold, case in enumerate(("C1", "C2")):  # as a training that was stopped leaves what it drew
        (tmp_path / f"drawn/fold-{fold + 1}").mkdir(parents=True)
        np.savez_compressed(tmp_path / f"drawn/fold-{fold + 1}/{case}.npz", bits=np.packbits(near | far))
    tried.clean()
    dice = {row["case"]: row["dice"] for row in run.figures}
    assert dice == {"C1": 0.9818, "C2": pytest.approx(2 * 27 / (27 + 28), abs=1e-4)}
