"""Shipped models serve until a person chooses; models from approved masks serve once promoted."""

from pathlib import Path

import numpy as np
import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.inference.models import Prediction
from annotation_backend.inference.serving.segmenting import predict_slices
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import RunStatus
from annotation_backend.learning.snapshot_training import train_on_snapshot
from annotation_backend.registry import shipped
from annotation_backend.registry.model_registry import (
    check_promotion,
    models_folder,
    promote,
    register_package,
    serving_model,
)
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.shipped import ensure_shipped_models
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore
from datasets.study.splits.rule import SplitRule
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, the_study
from tests.training.support.tiny_models import clicks_2d, six_points
from training.fitting.choice import TrainingChoice
from training.model_package import ModelDescription, write_package
from training.prompts.prompt import Click, Prompts
from training.table.table import method_called

pytestmark = pytest.mark.django_db


def _package(folder: Path, name: str, *, method: str = "clicks-2d", version: str = "1") -> Path:
    """A tiny package as it would lie in the checkout."""
    tiny, tensors = six_points() if method == "six-points" else clicks_2d()
    write_package(
        folder / name, ModelDescription(name, version, method_called(method), tiny.parameters, tiny.inputs), tensors
    )
    return folder / name


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What is shipped, changeable; and a LiteMedSAM that is cheap."""
    found: dict[str, Path] = {}
    monkeypatch.setattr(shipped, "shipped_packages", lambda: found)
    lite_medsam = Model.objects.create(
        name="lite-medsam", version="1", method="lite-medsam", digest="1" * 64, folder="models/none",
        prompt_kinds=["box", "point", "automatic"],
    )  # fmt: skip
    monkeypatch.setattr(shipped, "ensure_converted", lambda _method: lite_medsam)
    monkeypatch.setattr("annotation_backend.registry.model_registry.read_package", lambda *_args, **_kwargs: None)
    return found


def test_without_shipped_packages_lite_medsam_serves_as_before(packages: dict[str, Path]) -> None:
    assert ensure_shipped_models() == []
    assert {
        str(serving_model(kind, the_study())) for kind in (PromptKind.AUTOMATIC, PromptKind.BOX, PromptKind.POINT)
    } == {"lite-medsam-1"}
    with pytest.raises(RejectedInput, match="no-serving-model"):
        serving_model(PromptKind.EXTREME_POINTS, the_study())


def test_shipped_models_take_their_places_once(packages: dict[str, Path], tmp_path: Path) -> None:
    ensure_shipped_models()
    packages["clicks-2d"] = _package(tmp_path, "clicks-2d")
    packages["six-points"] = _package(tmp_path, "six-points", method="six-points")
    for _ in range(2):
        assert ensure_shipped_models() == []
        assert str(serving_model(PromptKind.POINT, the_study())) == "clicks-2d-1"
        assert str(serving_model(PromptKind.EXTREME_POINTS, the_study())) == "six-points-1"
        assert str(serving_model(PromptKind.AUTOMATIC, the_study())) == "lite-medsam-1"
    assert Promotion.objects.count() == 5
    assert (models_folder() / "clicks-2d-1" / "model.safetensors").read_bytes() == (
        packages["clicks-2d"] / "model.safetensors"
    ).read_bytes()


def test_a_persons_choice_stays(packages: dict[str, Path], tmp_path: Path) -> None:
    ensure_shipped_models()
    promote(Model.objects.get(name="lite-medsam"), kinds=[PromptKind.POINT], study=the_study())
    packages["clicks-2d"] = _package(tmp_path, "clicks-2d")
    ensure_shipped_models()
    assert str(serving_model(PromptKind.POINT, the_study())) == "lite-medsam-1"


def test_another_model_of_a_shipped_name_is_told_and_the_rest_goes_on(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    taken = _package(tmp_path / "own", "clicks-2d", method="six-points")
    models_folder().mkdir(parents=True, exist_ok=True)
    taken.rename(models_folder() / "clicks-2d-7")
    packages["clicks-2d"] = _package(tmp_path, "clicks-2d", version="7")
    [finding] = ensure_shipped_models()
    assert "model-version-taken" in finding
    assert str(serving_model(PromptKind.BOX, the_study())) == "lite-medsam-1"


def test_two_stage_never_draws_unprompted_unless_asked_to(packages: dict[str, Path]) -> None:
    model = Model(name="x", version="1", method="two-stage", prompt_kinds=["point", "automatic"], folder="x")
    assert check_promotion(model, None, study=the_study()) == [PromptKind.POINT]
    assert check_promotion(model, [PromptKind.AUTOMATIC], study=the_study()) == [PromptKind.AUTOMATIC]


@pytest.mark.slow
def test_six_points_learn_from_approved_masks_and_answer_extreme_points() -> None:
    people, tasks = accounts(), published(registered_case("C0091"), first_task=9100)
    for number, task in enumerate(tasks[1:4], start=1):
        saved(task, identifier=number)
    mask = assemble(tasks[2].case)
    assert mask is not None
    decide(
        mask, people[Role.RADIOLOGIST], verdict=Verdict.APPROVE, quality_score=QualityScore.SUFFICIENT, comment="x",
        accepts_unannotated=True,
    )  # fmt: skip
    choice = TrainingChoice(method_called("six-points"), channels=("t1", "t2"), iterations=1)
    run = train_on_snapshot(
        take_snapshot(the_study()), choice, name="own-six-points", progress_of=lambda _what: lambda *_told: None
    )
    assert run.status == RunStatus.DONE
    assert run.model is not None
    assert str(run.model) == f"own-six-points-{run.pk}"
    assert list(run.settings["channels"]) == ["t1", "t2"]
    promote(run.model, study=the_study())
    case = tasks[2].case
    grid = case_volumes(case).grid
    ends = [(4, 7, 2), (17, 7, 2), (10, 3, 2), (10, 11, 2), (10, 7, 1), (10, 7, 3)]
    prompts = Prompts(extreme_points=tuple(tuple(map(float, point)) for point in grid.to_world(ends)))
    [drawn] = predict_slices(case, [2], prompts=prompts)
    assert drawn.model == run.model
    assert drawn.mask.shape == (20, 24)
    assert len(Prediction.objects.get(model=run.model).prompts["extreme_points"]) == 6
    with pytest.raises(RejectedInput, match="model-prompt-kind"):
        promote(run.model, kinds=[PromptKind.POINT], study=the_study())
    with pytest.raises(RejectedInput, match="folds-patients"):
        train_on_snapshot(
            take_snapshot(the_study()),
            choice,
            name="own-six-points",
            progress_of=lambda _what: lambda *_told: None,
            rule=SplitRule(folds=2),
        )


def test_a_click_is_answered_by_clicks_in_2d(tmp_path: Path) -> None:
    tasks = published(registered_case("C0092"), first_task=9200)
    folder = models_folder() / "tiny-clicks-1"
    models_folder().mkdir(parents=True, exist_ok=True)
    _package(tmp_path, "tiny-clicks").rename(folder)
    promote(register_package(folder), study=the_study())
    point = tuple(float(value) for value in np.ravel(case_volumes(tasks[0].case).grid.to_world([(10, 8, 2)])))
    [drawn] = predict_slices(tasks[0].case, [2], prompts=Prompts(clicks=(Click(point),)))
    assert str(drawn.model) == "tiny-clicks-1"


def test_a_damaged_shipped_model_is_not_copied_and_a_whole_one_is_later(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    packages["clicks-2d"] = _package(tmp_path / "shipped", "clicks-2d", version="9")
    weights = packages["clicks-2d"] / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    assert ["package-weights-digest" in finding for finding in ensure_shipped_models()] == [True]
    assert not (models_folder() / "clicks-2d-9").exists()
    weights.write_bytes(whole)
    assert ensure_shipped_models() == []
    assert str(serving_model(PromptKind.POINT, the_study())) == "clicks-2d-9"
