"""What a request tells of an annotator who clicked, accepted, rejected or deleted. None of these has a database."""

from datetime import datetime

import numpy as np
import pytest

from annotation_backend.inference.models import PromptState, Session
from annotation_backend.inference.sessions.request_events import events_of, taken
from annotation_backend.inference.sessions.requests import Asked, SessionRequest
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.inference.sessions.state import Commanded, Ended, Given, Moved, SessionState
from annotation_backend.registry.models import PromptKind
from tests.annotation_backend.inference.sessions.sketches import (
    EARLIER,
    LATER,
    NOTHING,
    SHAPE,
    answer,
    asked,
    at,
    click,
    disc,
    sent,
)
from training.prompts.prompt import Prompts

ANSWERED = SessionState(SHAPE, (click("a", before=disc(2)),), {2: answer(5)})
"""A click on slice 2, where a disc of 2 was drawn, was answered with a disc of 5."""

UNDO = SmartPrompt("u", SessionCommand.UNDO)


def _taken(state: SessionState, request: Asked) -> tuple[SessionState, SessionRequest]:
    return taken(Session(pk=1), state, request)


def test_the_first_click_goes_on_from_the_mask_on_the_slice() -> None:
    after, request = _taken(SessionState(SHAPE), asked([sent("a")], mask=disc(2)))
    assert (request.kind, request.number, request.command) == (PromptKind.POINT, 7, None)
    assert np.array_equal(request.base, disc(2))
    assert np.array_equal(request.start, disc(2))
    assert after.active == (click("a", before=disc(2), number=7),)


def test_a_further_click_of_an_open_suggestion_goes_on_from_the_answer_and_starts_where_the_first_did() -> None:
    after, request = _taken(ANSWERED, asked([sent("a"), sent("b", 1.0)], mask=disc(2)))
    assert np.array_equal(request.base, disc(5))
    assert np.array_equal(request.start, disc(2))
    assert [prompt.batch for prompt in after.active] == [1, 1], "both of one suggestion"


@pytest.mark.parametrize(("saved", "radius"), [(LATER, 6), (EARLIER, 5), (None, 5)])
def test_an_accepted_suggestion_is_gone_on_from_as_saved_or_as_answered(saved: datetime | None, radius: int) -> None:
    after, request = _taken(ANSWERED, asked([sent("b")], mask=disc(6), saved=saved))
    assert np.array_equal(request.base, disc(radius))
    assert [prompt.region_id for prompt in after.active] == ["a", "b"]


def test_a_draft_saved_later_that_shows_the_slice_as_before_tells_of_a_rejection() -> None:
    request = asked([sent("b")], mask=disc(2), saved=LATER)
    assert events_of(ANSWERED, request)[0] == Ended({"a"}, PromptState.REJECTED)
    after, answered = _taken(ANSWERED, request)
    assert np.array_equal(answered.base, disc(2))
    assert [prompt.region_id for prompt in after.active] == ["b"]


def test_a_propagated_mask_is_not_gone_on_from() -> None:
    propagated = SessionState(SHAPE, (), {2: answer(5, is_answered=False)})
    assert np.array_equal(_taken(propagated, asked([sent("a")]))[1].base, NOTHING)


def test_a_click_that_is_missing_beside_another_of_its_suggestion_was_deleted() -> None:
    state = SessionState(SHAPE, (click("a"), click("b"), click("c", number=2)), {2: answer(5)})
    assert events_of(state, asked([sent("b")])) == [Ended({"a"}, PromptState.UNDONE)]


def test_a_click_that_was_dragged_is_no_new_one() -> None:
    assert events_of(ANSWERED, asked([sent("a", 5.0)])) == [Moved("a", at(5.0))]


def test_the_same_request_again_brings_nothing_new() -> None:
    assert events_of(ANSWERED, asked([sent("a")])) == []


def test_a_click_that_was_undone_and_is_still_drawn_does_not_count_again() -> None:
    undone, _ = _taken(ANSWERED, asked([UNDO]))
    assert events_of(undone, asked([sent("a")])) == []


def test_a_command_is_obeyed_once_and_alone() -> None:
    request = asked([sent("b"), UNDO], mask=disc(5))
    after, obeyed = _taken(ANSWERED, request)
    assert [type(event) for event in events_of(ANSWERED, request)] == [Commanded]
    assert (obeyed.kind, obeyed.command) == (None, SessionCommand.UNDO)
    assert np.array_equal(obeyed.base, disc(2))
    assert np.array_equal(obeyed.start, disc(5))
    again = events_of(after, request)
    assert [type(event) for event in again] == [Given], "the click beside it is heard now"


def test_prompts_of_other_slices_are_counted_apart() -> None:
    state = SessionState(SHAPE, (click("a", 1.0, index=4),))
    _, request = _taken(state, asked([sent("b", 2.0)]))
    assert request.prompts[PromptKind.POINT] == at(2.0)
    assert request.elsewhere[PromptKind.POINT] == at(1.0)
    assert [one.point_mm[0] for one in request.everywhere(PromptKind.POINT).clicks] == [1.0, 2.0]


def test_the_strongest_kind_of_a_request_decides_the_model() -> None:
    box = SmartPrompt("c", PromptKind.BOX, Prompts())
    assert _taken(SessionState(SHAPE), asked([sent("a"), box]))[1].kind is PromptKind.BOX
