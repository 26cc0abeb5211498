"""The answer to a request: the prompts that the model is given, the mask that it edits, the masks that come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import Session
from annotation_backend.inference.sessions.answering import Answer, answer_request
from annotation_backend.inference.sessions.propagation import as_probability
from annotation_backend.inference.sessions.sessions import (
    CurrentMask,
    SessionRequest,
    keep_answer,
    record_request,
    session_of,
)
from annotation_backend.inference.sessions.smart_prompts import SmartPrompt
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.records import registered_case
from tests.annotation_backend.support.segmenters import drawn_by, known_model
from training.prompts.prompt import Box, Click, PointMm, Prompts, joined
from training.segmenters.segmenter import Segmentation, SegmentationRequest

pytestmark = pytest.mark.django_db

INDEX = 2


@dataclass
class Desk:
    """A session on a case, and a model that draws what it is told and keeps what it was asked."""

    case: Case
    draws: Mapping[int, Inside] = field(default_factory=dict)
    asked: list[SegmentationRequest] = field(default_factory=list)

    @property
    def plane(self) -> PicturePlane:
        """Of the case's pictures."""
        return picture_plane(self.case)

    @property
    def session(self) -> Session:
        """Nobody's."""
        return session_of(self.case, None)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """As a segmenter does."""
        self.asked.append(request)
        return Segmentation(as_probability(self.draws, self.plane), "told-1", score=0.5)

    def at(self, x: float, y: float, *, index: int = INDEX) -> PointMm:
        """A pixel of a slice in the patient's space."""
        first, second, third = self.plane.grid.to_world(self.plane.pixel_to_voxel((x, y), index=index)).tolist()
        return first, second, third

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """A box on the open slice, in pixels."""
        return Box(self.at(left, top), self.at(right, bottom))

    def requested(self, heard: Sequence[SmartPrompt], *, base: Inside | None = None) -> SessionRequest:
        """The recorded request of somebody who sees the mask `base`."""
        seen = self.nothing() if base is None else base
        return record_request(self.session, INDEX, heard, current=CurrentMask(seen))

    def answered(self, heard: Sequence[SmartPrompt], *, method: str, base: Inside | None = None) -> Answer:
        """The answer to what is drawn on the open slice."""
        request = self.requested(heard, base=base)
        pending = joined(prompt.prompts for prompt in heard)
        answer = answer_request(request, pending, model=known_model(f"m{len(self.asked)}", method=method))
        keep_answer(request, answer.masks, model_version=answer.model_version)
        return answer

    def nothing(self) -> Inside:
        """An empty mask of a slice."""
        return np.zeros(self.plane.shape, dtype=bool)

    def part(self, rows: slice, columns: slice) -> Inside:
        """A mask of one rectangle."""
        mask = self.nothing()
        mask[rows, columns] = True
        return mask


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(registered_case())
    drawn_by(monkeypatch, made)  # type: ignore[arg-type]
    return made


def _boxed(*boxes: Box) -> list[SmartPrompt]:
    return [SmartPrompt(f"b{number}", PromptKind.BOX, Prompts(boxes=(box,))) for number, box in enumerate(boxes)]


def _click(desk: Desk, name: str, x: float, y: float, *, positive: bool = True) -> SmartPrompt:
    return SmartPrompt(name, PromptKind.POINT, Prompts(clicks=(Click(desk.at(x, y), positive=positive),)))


def test_a_box_that_is_drawn_again_replaces_the_earlier_one_and_another_tumour_keeps_its_own(desk: Desk) -> None:
    first, other, again = desk.box(2, 2, 10, 10), desk.box(14, 12, 21, 17), desk.box(3, 1, 11, 11)
    for boxes, counting in (
        ([first, other, again], (other, again)),
        ([first, other], (first, other)),
        ([first], (first,)),
    ):
        desk.answered(_boxed(*boxes), method="lite-medsam")
        assert desk.asked[-1].prompts.boxes == counting
        assert desk.asked[-1].slices == (INDEX,)


def test_where_no_box_is_pending_the_model_is_given_none(desk: Desk) -> None:
    request = desk.requested(_boxed(desk.box(2, 2, 10, 10)))
    answer_request(request, Prompts(), model=known_model(method="lite-medsam"))
    assert desk.asked[-1].prompts == Prompts()


def test_a_box_redraws_what_it_holds_and_leaves_another_tumour_alone(desk: Desk) -> None:
    other = desk.part(slice(14, 17), slice(17, 20))
    base = desk.part(slice(4, 10), slice(3, 14)) | other
    drawn = desk.part(slice(5, 8), slice(4, 8))
    desk.draws = {INDEX: drawn}
    answer = desk.answered(_boxed(desk.box(2, 3, 10, 10)), method="lite-medsam", base=base)
    assert list(answer.masks) == [INDEX]
    np.testing.assert_array_equal(answer.masks[INDEX], drawn | other)
    assert desk.asked[-1].previous is None, "a box is drawn from the image alone"
    assert (answer.model_version, answer.score) == ("told-1", 0.5)


def test_a_click_on_an_empty_slice_gives_what_the_model_draws(desk: Desk) -> None:
    desk.draws = {INDEX: desk.part(slice(4, 10), slice(3, 14))}
    answer = desk.answered([_click(desk, "a", 8, 7)], method="clicks-2d")
    np.testing.assert_array_equal(answer.masks[INDEX], desk.draws[INDEX])
    assert (desk.asked[-1].previous, desk.asked[-1].slices) == (None, (INDEX,))


def test_a_click_beside_a_mask_adds_what_lies_there_and_changes_nothing_else(desk: Desk) -> None:
    base, there = desk.part(slice(2, 8), slice(2, 8)), desk.part(slice(12, 18), slice(12, 18))
    elsewhere = desk.part(slice(2, 8), slice(17, 23))
    desk.draws = {INDEX: there | elsewhere}  # the model would take the mask away, and add another
    answer = desk.answered([_click(desk, "a", 14, 14)], method="clicks-2d", base=base)
    np.testing.assert_array_equal(answer.masks[INDEX] & desk.part(slice(0, 20), slice(0, 11)), base)
    assert answer.masks[INDEX][13:17, 13:17].all()
    assert not answer.masks[INDEX][elsewhere].any()
    previous = desk.asked[-1].previous
    assert previous is not None
    np.testing.assert_array_equal(previous.data, as_probability({INDEX: base}, desk.plane).data)


def test_a_click_that_was_taken_back_and_is_still_drawn_changes_nothing(desk: Desk) -> None:
    base, there = desk.part(slice(2, 8), slice(2, 8)), desk.part(slice(12, 18), slice(12, 18))
    desk.draws = {INDEX: base | there}
    request = desk.requested([_click(desk, "a", 4, 4)], base=base)
    taken_back = _click(desk, "b", 14, 14).prompts
    model = known_model(method="clicks-2d")
    answer = answer_request(request, joined([*request.prompts.values(), taken_back]), model=model)
    np.testing.assert_array_equal(answer.masks[INDEX], base)
    assert desk.asked[-1].prompts == request.prompts[PromptKind.POINT]


@pytest.mark.parametrize("method", ["clicks-2d", "clicks-3d"])
def test_clicks_that_can_only_remove_are_refused_where_nothing_is_drawn(desk: Desk, method: str) -> None:
    with pytest.raises(RejectedInput, match="prompt-negative-only"):
        desk.answered([_click(desk, "a", 8, 7, positive=False)], method=method)
    assert desk.asked == []


def test_a_model_of_volumes_answers_for_all_slices_and_refines_all_that_is_kept(desk: Desk) -> None:
    first = {index: desk.part(slice(4, 10), slice(3, 9 + index)) for index in (1, 2, 3)}
    desk.draws = first
    answer = desk.answered([_click(desk, "a", 6, 6)], method="clicks-3d")
    assert list(answer.masks) == [0, 1, 2, 3, 4]
    for index, mask in answer.masks.items():
        np.testing.assert_array_equal(mask, first.get(index, desk.nothing()))
    assert (desk.asked[-1].slices, desk.asked[-1].previous) == (None, None)
    desk.answered([_click(desk, "a", 6, 6), _click(desk, "b", 8, 8)], method="clicks-3d", base=first[INDEX])
    previous = desk.asked[-1].previous
    assert previous is not None
    np.testing.assert_array_equal(previous.data, as_probability(first, desk.plane).data)
    assert len(desk.asked[-1].prompts.clicks) == 2


def test_what_was_drawn_since_is_refined_in_place_of_the_answer_that_is_kept(desk: Desk) -> None:
    desk.draws = {index: desk.part(slice(4, 10), slice(3, 9)) for index in (1, 2, 3)}
    desk.answered([_click(desk, "a", 6, 6)], method="clicks-3d")
    brushed = CurrentMask(desk.part(slice(12, 16), slice(12, 16)), timezone.now() + timedelta(seconds=5))
    heard = [_click(desk, "b", 13, 13)]
    request = record_request(desk.session, INDEX, heard, current=brushed)
    answer_request(request, heard[0].prompts, model=known_model(method="clicks-3d"))
    previous = desk.asked[-1].previous
    assert previous is not None
    known = {**desk.draws, INDEX: brushed.mask}
    np.testing.assert_array_equal(previous.data, as_probability(known, desk.plane).data)


def test_extreme_points_of_all_slices_are_given_together(desk: Desk) -> None:
    def end(name: str, index: int) -> SmartPrompt:
        points = (desk.at(float(index), 6.0, index=index),)
        return SmartPrompt(name, PromptKind.EXTREME_POINTS, Prompts(extreme_points=points))

    record_request(desk.session, 4, [end("a", 4)], current=CurrentMask(desk.nothing()))
    desk.answered([end("b", INDEX)], method="six-points")
    given = desk.asked[-1].prompts.extreme_points
    assert sorted(given) == sorted((desk.at(4.0, 6.0, index=4), desk.at(2.0, 6.0)))
    assert desk.asked[-1].previous is None
