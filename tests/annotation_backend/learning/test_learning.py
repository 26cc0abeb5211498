"""Models learn from approved masks only; a snapshot is the same for the same masks; packages are guarded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case, Registration
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.segmenting import INSIDE_ABOVE_PROBABILITY, predict_slices, request_of
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.examples.learned_images import kinds_to_learn
from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.learning.snapshot_training import train_on_snapshot
from annotation_backend.registry.model_registry import models_folder, promote, register_package, serving_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore
from datasets.study.shipped_protocols import shipped_protocol
from tests.annotation_backend.support.records import approve, drawn, published, registered_case, saved, the_study
from tests.training.support.small_training import make_small
from training.fitting.choice import TrainingChoice
from training.methods.loading import load_segmenter
from training.prompts.prompt import Prompts
from training.table.table import method_called

pytestmark = pytest.mark.django_db

QUICK = TrainingChoice(method_called("unet-25d"), ("t1", "t2"), iterations=2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def train(snapshot: Snapshot, choice: TrainingChoice = QUICK, *, progress: Any = lambda *_told: None) -> Run:
    return train_on_snapshot(snapshot, choice, progress_of=lambda _what: progress)


def _reviewed(people: dict[Role, User], code: str, verdict: Verdict, *, identifier: int) -> LabelingTask:
    task = published(registered_case(code), first_task=identifier * 100)[2]
    saved(task, identifier=identifier)
    mask = assemble(task.case)
    assert mask is not None
    choices = {"quality_score": QualityScore.SUFFICIENT, "comment": "x", "accepts_unannotated": True}
    decide(mask, people[Role.RADIOLOGIST], verdict=verdict, **choices)  # type: ignore[arg-type]
    return task


def test_without_an_approved_mask_nothing_is_learned(people: dict[Role, User]) -> None:
    _reviewed(people, "C0001", Verdict.RETURN, identifier=1)
    with pytest.raises(RejectedInput, match="nothing-approved"):
        take_snapshot(the_study())


def test_a_snapshot_holds_approved_masks_only_and_is_the_same_twice(people: dict[Role, User]) -> None:
    _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    _reviewed(people, "C0002", Verdict.RETURN, identifier=2)
    first = take_snapshot(the_study())
    assert [entry["case"] for entry in first.content["cases"]] == ["C0001"]
    assert take_snapshot(the_study()) == first
    _reviewed(people, "C0003", Verdict.APPROVE, identifier=3)
    assert take_snapshot(the_study()).digest != first.digest


def test_a_run_gives_a_registered_model_that_names_its_snapshot_and_serves_once_promoted(
    people: dict[Role, User],
) -> None:
    task = _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    snapshot = take_snapshot(the_study())
    run = train(snapshot)
    assert run.status == RunStatus.DONE
    assert len(run.losses) == 2
    model = run.model
    assert model is not None
    assert model.snapshot_digest == snapshot.digest
    with pytest.raises(RejectedInput, match="no-serving-model"):
        serving_model(PromptKind.AUTOMATIC, the_study())
    promote(model, study=the_study())
    [drawn] = predict_slices(task.case, [1], prompts=Prompts())
    assert (drawn.model, drawn.model_version) == (model, f"{model.name}-{model.version}")
    np.testing.assert_array_equal(drawn.mask, _drawn_by_the_package(model, task.case, index=1))
    with pytest.raises(RejectedInput, match="model-prompt-kind"):
        promote(model, kinds=[PromptKind.BOX], study=the_study())


def _drawn_by_the_package(model: Model, case: Case, *, index: int) -> np.ndarray:
    """What the files of a model draw on a slice, read anew and asked past the registry and the cache."""
    segmenter = load_segmenter(model.path, expected_digest=model.digest)
    answer = segmenter.segment(request_of(case, Prompts(), slices=[index]))
    return picture_plane(case).to_picture(np.asarray(answer.probability.data), index) > INSIDE_ABOVE_PROBABILITY


def test_a_mask_that_was_changed_on_disk_is_not_learned_from(people: dict[Role, User]) -> None:
    task = _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    snapshot = take_snapshot(the_study())
    mask = task.case.masks.get()
    content = bytearray(mask.path.read_bytes())
    content[-1] ^= 1
    mask.path.write_bytes(content)
    with pytest.raises(RejectedInput, match="snapshot-changed"):
        train(snapshot)
    assert Run.objects.get().status == RunStatus.FAILED
    assert Model.objects.count() == 0


def test_a_damaged_package_is_neither_registered_nor_promoted(people: dict[Role, User], tmp_path: Path) -> None:
    _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    model = train(take_snapshot(the_study())).model
    assert model is not None
    weights = model.path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RejectedInput, match="package-weights-digest"):
        promote(model, study=the_study())
    with pytest.raises(RejectedInput, match="package-weights-digest"):
        register_package(model.path)


@pytest.mark.parametrize("leaves", ["excluded", "returned", "drawn on"])
def test_a_model_that_learned_from_a_case_that_left_meanwhile_is_not_registered(
    people: dict[Role, User], leaves: str, tmp_path: Path, settings
) -> None:
    settings.DATA_FOLDER = tmp_path
    task = _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    _reviewed(people, "C0002", Verdict.APPROVE, identifier=2)

    def meanwhile(step: int, _steps: int, _loss: float) -> None:
        if step != 1:
            return
        if leaves == "excluded":
            exclude(task.case, reason="Consent withdrawn.")
        saved(task, identifier=1, updated_at="2026-11-21T11:00:00Z")
        if leaves == "returned":
            mask = assemble(task.case)
            assert mask is not None
            choices = {"quality_score": QualityScore.SUFFICIENT, "comment": "The lower border."}
            decide(mask, people[Role.RADIOLOGIST], verdict=Verdict.RETURN, **choices)  # type: ignore[arg-type]

    with pytest.raises(RejectedInput, match="snapshot-left"):
        train(take_snapshot(the_study()), progress=meanwhile)
    assert Run.objects.get().status == RunStatus.FAILED
    assert Model.objects.count() == 0
    assert not any(models_folder().glob("unet-25d-*"))


def test_a_snapshot_does_not_take_the_images_of_another_registration(people: dict[Role, User]) -> None:
    _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    snapshot = take_snapshot(the_study())
    Registration.objects.update(record_sha256="f" * 64)
    Case.objects.update(images_sha256="f" * 64)
    with pytest.raises(RejectedInput, match="snapshot-left"):
        train(snapshot)


def test_a_model_learns_the_images_and_the_label_that_were_asked_for(
    people: dict[Role, User], tmp_path: Path, settings
) -> None:
    settings.DATA_FOLDER = tmp_path
    _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    snapshot = take_snapshot(the_study())
    model = train(snapshot, replace(QUICK, channels=("t1",))).model
    assert model is not None
    assert (model.images, model.label, model.study) == (["t1"], "Tumour", the_study())
    with pytest.raises(RejectedInput, match="image-unknown"):
        train(snapshot, replace(QUICK, channels=("ct",)))
    with pytest.raises(RejectedInput, match="label-unknown"):
        train(snapshot, replace(QUICK, label="Cyst"))
    with pytest.raises(RejectedInput, match="label-nowhere"):
        train(snapshot, replace(QUICK, label="Oedema"))


def test_cases_without_the_label_are_left_out_and_named(people: dict[Role, User]) -> None:
    _reviewed(people, "C0001", Verdict.APPROVE, identifier=1)
    task = published(registered_case("C0002"), first_task=500)[2]
    saved(task, identifier=2, result=[region_of(drawn(), region_id="a", score=None, label="Oedema")])
    mask = assemble(task.case)
    assert mask is not None
    approve(mask, people[Role.RADIOLOGIST])
    snapshot = take_snapshot(the_study())
    oedema = examples_of_snapshot(snapshot, ["t2-fs"], "Oedema")
    assert [*oedema.patients] == ["C0002"]
    assert oedema.findings == ("C0001 is left out: its approved mask holds no Oedema.",)
    [example] = oedema.read()
    assert int(example.mask.foreground.sum()) == int(drawn().sum())
    assert [*examples_of_snapshot(snapshot, ["t1"], "Tumour").patients] == ["C0001"]


def test_the_images_to_learn_from_are_named_by_the_protocol() -> None:
    lipoma = shipped_protocol("lipoma")
    assert kinds_to_learn(lipoma, sees_all_images=True) == ("t1",)
    assert kinds_to_learn(lipoma, ["t2_fs", "t1_contrast"], sees_all_images=True) == ("t2-fs", "t1-ce")
    mstt = shipped_protocol("mstt-199")
    assert kinds_to_learn(mstt, sees_all_images=True) == ("t1", "t2-fs")
    assert kinds_to_learn(mstt, sees_all_images=False) == ("t1",)
    assert kinds_to_learn(mstt, ["t1", "t2"], sees_all_images=False) == ("t1", "t2-fs")
    assert kinds_to_learn(shipped_protocol("pet-ct"), sees_all_images=True) == ("ct", "pet")
    with pytest.raises(RejectedInput, match="image-unknown"):
        kinds_to_learn(lipoma, ["stir"], sees_all_images=True)
    first = lipoma.images[0]
    alike = replace(lipoma, images=(first, replace(first, name="coronal")))
    with pytest.raises(RejectedInput, match="images-alike"):
        kinds_to_learn(alike, ["coronal"], sees_all_images=True)
