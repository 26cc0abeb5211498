"""A model's uncertainty map of a case lies beside its masks: written, drawn anew and gone with them."""

from dataclasses import replace

import numpy as np
import pytest
from django.db import IntegrityError

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving import initial_masks as keeping
from annotation_backend.inference.serving.initial_masks import initial_masks, stored_initial_masks
from annotation_backend.inference.serving.uncertainty_maps import MAPS_KEPT, uncertainty_maps
from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from tests.annotation_backend.support.records import SHAPE, registered_case
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model
from training.segmenters.segmenter import Segmentation, SegmentationRequest

pytestmark = pytest.mark.django_db

ALL = tuple(range(SHAPE[2]))


class Unsure(BrightSegmenter):
    """Says of each voxel that it is as unsure as the voxel's place along the first axis."""

    def segment(self, request: SegmentationRequest) -> Segmentation:
        answer = super().segment(request)
        if not request.wants_uncertainty:
            return answer
        grid = answer.probability.grid
        unsure = np.broadcast_to(np.linspace(0, 1, grid.shape[0], dtype=np.float32)[:, None, None], grid.shape)
        return replace(answer, used={}, score=0.25, uncertainty=Volume(np.array(unsure), grid))


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> Unsure:
    return drawn_by(monkeypatch, Unsure())


def test_the_map_is_kept_with_the_masks_and_lies_on_the_cases_grid(segmenter: Unsure) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    [found] = uncertainty_maps(case)
    assert found.model == model
    expected = np.linspace(0, 1, SHAPE[0])
    expected[expected < 0.05] = 0
    levels = found.levels()
    assert levels.shape == picture_plane(case).grid.shape
    np.testing.assert_allclose(
        levels / 255, np.broadcast_to(expected[:, None, None], levels.shape), atol=0.5 / 255 + 1e-6
    )


def test_a_model_that_knows_nothing_of_it_leaves_no_map_and_nor_does_an_older_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn_by(monkeypatch, BrightSegmenter())
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    assert uncertainty_maps(case) == []
    assert {*InitialMask.objects.values_list("uncertainty_sha256", flat=True)} == {""}


def test_a_map_of_a_former_registration_is_not_shown_and_goes_when_the_case_is_drawn_anew(segmenter: Unsure) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    [before] = uncertainty_maps(case)
    case.images_sha256 = "f" * 64
    case.save()
    case = Case.objects.get(pk=case.pk)
    assert uncertainty_maps(case) == []
    initial_masks(case, ALL[:2], model=model)
    [after] = uncertainty_maps(case)
    assert sorted(after.slices) == [0, 1]
    assert after.sha256 != before.sha256
    assert not after.levels()[:, :, 2:].any()


def test_drawn_anew_without_a_map_a_mask_has_none(segmenter: Unsure, monkeypatch: pytest.MonkeyPatch) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    InitialMask.objects.update(inputs_sha256="of a former registration")
    drawn_by(monkeypatch, BrightSegmenter())
    initial_masks(case, ALL, model=model)
    assert not InitialMask.objects.filter(uncertainty__isnull=False).exists()


def test_only_the_maps_of_the_last_models_are_kept_and_all_masks(segmenter: Unsure) -> None:
    case, models = registered_case(), [known_model(f"m{number}") for number in range(MAPS_KEPT + 2)]
    for model in models:
        initial_masks(case, ALL, model=model)
    assert [one.model for one in uncertainty_maps(case)] == models[-1 : -1 - MAPS_KEPT : -1]
    assert InitialMask.objects.count() == len(models) * len(ALL)


def test_a_map_is_whole_or_not_there(segmenter: Unsure, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails after the masks were written takes them back, too."""

    def fails(_case: Case) -> None:
        raise IntegrityError("gone")

    monkeypatch.setattr(keeping, "drop_former_maps", fails)
    case, model = registered_case(), known_model()
    with pytest.raises(IntegrityError):
        initial_masks(case, ALL, model=model)
    assert not InitialMask.objects.exists()


@pytest.mark.parametrize("damage", [{"uncertainty": b"damaged"}, {"uncertainty_sha256": "0" * 64}])
def test_a_damaged_map_is_refused_and_its_mask_is_not(segmenter: Unsure, damage: dict[str, object]) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    InitialMask.objects.filter(slice_index=3).update(**damage)
    [found] = uncertainty_maps(case)
    with pytest.raises(RejectedInput, match="uncertainty-damaged"):
        found.levels()
    assert len(stored_initial_masks([case], model=model)) == len(ALL)


def test_it_goes_with_the_prediction(segmenter: Unsure) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, ALL, model=model)
    InitialMask.objects.filter(case=case, slice_index__gt=1).delete()
    assert sorted(uncertainty_maps(case)[0].slices) == [0, 1]
    InitialMask.objects.all().delete()
    assert uncertainty_maps(case) == []
