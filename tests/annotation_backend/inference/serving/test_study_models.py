"""Prompts on cases of studies with other images: answered on the image that the model learned from, or refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving import segmenting
from annotation_backend.inference.serving.segmenting import for_model, predict_slices, request_of
from annotation_backend.registry.model_registry import models_folder, promote, register_package, serving_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.shipped import offer_defaults, registered_shipped
from annotation_backend.studies.services import create_study
from datasets.errors import RejectedInput
from datasets.study.protocol import Modality
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.cases.registration.limbs import case_of, ct, pet, study_of
from tests.annotation_backend.support.records import registered_case
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model
from tests.curation.registration.test_register import T1_GRID, painted
from training.prompts.prompt import Box, Prompts

pytestmark = pytest.mark.django_db

POINTS = [(4, 7, 2), (17, 7, 2), (10, 3, 2), (10, 11, 2), (10, 7, 1), (10, 7, 3)]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"


@pytest.fixture
def six_points() -> Model:
    """The shipped one, registered."""
    from training.pretrained.shipped import shipped_packages

    folder = models_folder() / "six-points-1"
    shutil.copytree(shipped_packages()["six-points"], folder)
    return register_package(folder)


def _case(protocol: str, document: str = "") -> Case:
    """A case of a study of its own; its images lie under the names that it has in the first study."""
    case = registered_case("C0071", tissue_type="fat")
    before = case.folder
    case.study = create_study(f"my-{protocol}", document or shipped_text(protocol))
    case.save()
    shutil.move(before, case.folder)
    offer_defaults(case.study, registered_shipped())
    return case


def _six(case: Case) -> Prompts:
    ends = picture_plane(case).grid.to_world(POINTS)
    return Prompts(extreme_points=tuple((float(x), float(y), float(z)) for x, y, z in ends))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["t1", "lipoma"])
def test_six_points_answer_on_a_case_that_has_a_t1_and_nothing_else(six_points: Model, protocol: str) -> None:
    study = study_of(protocol)
    case = _drawable(case_of(study, {"t1": painted(T1_GRID, "t1")}))
    middle = np.array(T1_GRID.shape) // 2
    ends = [middle + sign * step for step in np.diag((4, 4, 1)) for sign in (-1, 1)]
    points = tuple((float(x), float(y), float(z)) for x, y, z in T1_GRID.to_world(ends))
    prompts = Prompts(extreme_points=points)
    [drawn] = predict_slices(case, [int(middle[2])], prompts=prompts)
    assert drawn.model == six_points
    shown = for_model(request_of(case, prompts, slices=None), six_points, case)
    assert ([*shown.volumes], shown.target) == (["t1"], "t1")
    lacking = known_model("own")
    lacking.images, lacking.label = ["t2-fs"], "Tumour"
    with pytest.raises(RejectedInput, match="model-images" if protocol == "t1" else "case-image-missing"):
        for_model(request_of(case, prompts, slices=None), lacking, case)


@pytest.mark.slow
def test_a_pet_ct_is_shown_to_models_that_learned_from_it(six_points: Model) -> None:
    case = _drawable(case_of(study_of("pet-ct"), {"ct": ct(), "pet": pet()}))
    own = known_model("own")
    own.images, own.label = ["pet", "ct"], "Tumour"
    shown = for_model(request_of(case, Prompts(), slices=None), own, case)
    assert ([*shown.volumes], shown.target, shown.modality) == (["pet", "ct"], "ct", Modality.CT)
    assert shown.volumes["pet"].grid.matches(shown.volumes["ct"].grid)
    with pytest.raises(RejectedInput, match="model-images"):
        for_model(request_of(case, Prompts(), slices=None), six_points, case)


def _drawable(case: Case) -> Case:
    """The case, registered and exported, with the models that its study is offered."""
    register_cases([case], workers=1)
    export_case(Case.objects.with_images().get(pk=case.pk))
    offer_defaults(case.study, registered_shipped())
    return Case.objects.with_images().get(pk=case.pk)


def test_six_points_on_a_ct_are_refused_with_the_reason(six_points: Model) -> None:
    case = _case("ct")
    with pytest.raises(RejectedInput) as refused:
        predict_slices(case, [2], prompts=_six(case))
    assert refused.value.code == "no-serving-model"
    assert "six-points-1 learned from T1, and ct is a CT" in refused.value.remedy


def test_a_case_without_an_image_that_the_model_needs_is_refused_by_name(six_points: Model) -> None:
    document = shipped_text("t1") + (
        '\n[[images]]\nname = "late"\ntitle = "T1 after contrast"\nmodality = "MR"\nweighting = "T1"\n'
        'contrast = "require"\nrequired = false\n'
    )
    case = _case("t1", document)
    needs = known_model("own")
    needs.images, needs.label = ["t1", "t1-ce"], "Tumour"
    with pytest.raises(RejectedInput) as refused:
        for_model(request_of(case, Prompts(), slices=[2]), needs, case)
    assert refused.value.code == "case-image-missing"
    assert refused.value.message == "This case has no late, and own-1 draws on T1 after contrast."


def test_boxes_are_drawn_on_the_drawn_image_with_the_window_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The case's images are called t1 and t2 here: a protocol may call a CT so."""
    document = (
        shipped_text("ct").replace('name = "ct"\ntitle', 'name = "t1"\ntitle').replace('drawn = "ct"', 'drawn = "t1"')
    )
    case = _case("ct", document)
    asked = []
    segmenter = drawn_by(monkeypatch, BrightSegmenter())
    monkeypatch.setattr(
        segmenter, "segment", lambda request: asked.append(request) or BrightSegmenter().segment(request)
    )
    boxes = known_model("boxes")
    boxes.method = "lite-medsam"
    boxes.save()
    monkeypatch.setattr("annotation_backend.registry.model_registry.read_package", lambda *_a, **_k: None)
    promote(boxes, study=case.study, kinds=[PromptKind.BOX])
    predict_slices(case, [2], prompts=Prompts(boxes=(Box((-4.0, -4.0, 8.0), (-12.0, -12.0, 8.0)),)))
    [request] = asked
    assert (request.target, request.modality) == ("t1", Modality.CT)
    assert request.cache_key == case.images_sha256
    assert serving_model(PromptKind.BOX, case.study) == boxes


def test_what_a_model_is_shown_is_kept_apart_by_the_images_it_came_from(six_points: Model) -> None:
    case = registered_case("C0072")
    plain = request_of(case, Prompts(), slices=[1])
    shown = for_model(plain, six_points, case)
    assert (plain.target, shown.target) == ("t2", "t1")
    assert shown.cache_key == f"{plain.cache_key}/t1"
    assert np.array_equal(shown.volumes["t1"].data, plain.volumes["t1"].data)
    assert segmenting.for_model(plain, known_model("any"), case) is plain
