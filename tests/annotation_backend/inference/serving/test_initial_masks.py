"""A slice is drawn unprompted once for a model and its images; many slices of a case in one go."""

from dataclasses import replace

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask, Prediction
from annotation_backend.inference.serving.initial_masks import drawn_and_kept, initial_masks, stored_initial_masks
from annotation_backend.inference.serving.segmenting import predict_slices
from tests.annotation_backend.support.records import SHAPE, registered_case
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model
from training.prompts.prompt import Prompts
from training.segmenters.segmenter import Segmentation, SegmentationRequest

pytestmark = pytest.mark.django_db

ALL = tuple(range(SHAPE[2]))


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> BrightSegmenter:
    return drawn_by(monkeypatch, BrightSegmenter())


def test_many_slices_are_one_question_and_are_kept(segmenter: BrightSegmenter) -> None:
    case, model = registered_case(), known_model()
    first = initial_masks(case, ALL, model=model)
    again = initial_masks(case, (3, 0, 2), model=model)
    assert segmenter.asked == [ALL]
    assert [prediction.index for prediction in again] == [3, 0, 2]
    for prediction in again:
        np.testing.assert_array_equal(prediction.mask, first[prediction.index].mask)
        assert prediction.score == first[prediction.index].score == prediction.index / 10
        assert prediction.model_version == "bright-1"
    assert not again[1].mask.any()
    assert again[0].mask.any()
    assert Prediction.objects.count() == InitialMask.objects.count() == len(ALL)


def test_a_model_says_how_sure_it_is_of_masks_that_nobody_prompted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is what orders the queues "where the model is least sure"."""

    class Unsure(BrightSegmenter):
        def segment(self, request: SegmentationRequest) -> Segmentation:
            answer = super().segment(request)
            return replace(answer, used={}, score=0.25 if request.wants_uncertainty else None)

    drawn_by(monkeypatch, Unsure())
    case, model = registered_case(), known_model()
    assert {each.score for each in initial_masks(case, ALL, model=model)} == {0.25}
    assert {*InitialMask.objects.values_list("score", flat=True)} == {0.25}
    [prompted] = predict_slices(case, [2], prompts=Prompts(), model=model)
    assert prompted.score is None


def test_only_what_is_missing_is_drawn(segmenter: BrightSegmenter) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, (1, 2), model=model)
    seen: list[tuple[int, int]] = []
    initial_masks(case, ALL, model=model, progress=lambda done, all_: seen.append((done, all_)))
    assert segmenter.asked == [(1, 2), (0, 3, 4)]
    assert seen == [(5, 5)]


def test_another_registration_or_model_is_drawn_anew(segmenter: BrightSegmenter) -> None:
    case, model = registered_case(), known_model()
    initial_masks(case, (1,), model=model)
    initial_masks(case, (1,), model=known_model("other"))
    case.images_sha256 = "f" * 64
    case.save()
    initial_masks(Case.objects.get(pk=case.pk), (1,), model=model)
    assert segmenter.asked == [(1,)] * 3
    assert InitialMask.objects.filter(model=model).count() == 1


def test_a_damaged_row_is_drawn_anew(segmenter: BrightSegmenter) -> None:
    case, model = registered_case(), known_model()
    [first] = initial_masks(case, (1,), model=model)
    InitialMask.objects.update(bits=b"damaged")
    [second] = initial_masks(case, (1,), model=model)
    assert len(segmenter.asked) == 2
    np.testing.assert_array_equal(first.mask, second.mask)


def test_looking_up_many_cases_takes_as_many_queries_as_one(segmenter: BrightSegmenter) -> None:
    model = known_model()
    cases = [registered_case(f"C{number:04}") for number in range(1, 9)]
    for case in cases:
        initial_masks(case, ALL, model=model)
    counts = []
    for some in (cases[:1], cases):
        rows = list(Case.objects.filter(pk__in=[case.pk for case in some]).select_related("study"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found = stored_initial_masks(rows, model=model)
        counts.append(len(queries))
        assert len(found) == len(some) * len(ALL)
    assert counts[0] == counts[1] <= 2


def test_two_who_draw_the_same_slice_leave_one_row(segmenter: BrightSegmenter) -> None:
    case, model = registered_case(), known_model()
    for _ in range(2):
        assert [p.index for portion in drawn_and_kept(case, (1, 2), model=model) for p in portion] == [1, 2]
    assert InitialMask.objects.count() == 2
