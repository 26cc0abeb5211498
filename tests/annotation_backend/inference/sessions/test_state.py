"""A session as a value: what each event makes of it. None of these tests has a database."""

from functools import reduce

import numpy as np
import pytest

from annotation_backend.inference.models import PromptState
from annotation_backend.inference.sessions.smart_prompts import SessionCommand
from annotation_backend.inference.sessions.state import (
    Commanded,
    Ended,
    Event,
    Given,
    Moved,
    SessionState,
    apply,
    restored_masks,
)
from datasets.errors import RejectedInput
from datasets.image.packed_mask import packed
from tests.annotation_backend.inference.sessions.sketches import LATER, NOTHING, SHAPE, answer, at, click, disc, order

UNDO = Commanded(order(SessionCommand.UNDO), LATER)
START_OVER = Commanded(order(SessionCommand.START_OVER), LATER)


def _after(*events: Event, state: SessionState | None = None) -> SessionState:
    return reduce(apply, events, state or SessionState(SHAPE))


def _names(state: SessionState) -> list[str]:
    return [prompt.region_id for prompt in state.active]


def test_prompts_count_in_their_order_and_a_dragged_one_counts_where_it_is() -> None:
    state = _after(Given(click("a")), Given(click("b", index=3)), Moved("a", at(5.0)))
    assert _names(state) == ["a", "b"]
    assert state.active_on(2)[0].prompts == at(5.0)


@pytest.mark.parametrize("ended", [PromptState.UNDONE, PromptState.REJECTED])
def test_a_prompt_that_ended_is_kept_and_counts_no_more(ended: PromptState) -> None:
    state = _after(Given(click("a")), Given(click("b")), Ended({"a"}, ended))
    assert _names(state) == ["b"]
    assert state.prompts[0].state is ended


@pytest.mark.parametrize("count", range(1, 5))
def test_as_many_undos_as_prompts_lead_back_one_by_one(count: int) -> None:
    given = [Given(click(str(number), index=number % 2, number=number)) for number in range(4)]
    undos = [Commanded(order(SessionCommand.UNDO, number=10 + number), LATER) for number in range(count)]
    assert _names(_after(*given, *undos)) == _names(_after(*given[: 4 - count]))


def test_an_undo_brings_the_mask_before_the_last_prompt_back() -> None:
    before = SessionState(SHAPE, (click("a"), click("b", before=disc(3), number=2)), {2: answer(5), 3: answer(4)})
    after = apply(before, UNDO)
    assert np.array_equal(after.mask_on(2), disc(3))
    assert after.masks[2].number == 9
    assert after.masks[2].changed == LATER
    assert after.masks[3] == before.masks[3]
    assert list(restored_masks(before, after)) == [2]


def test_a_slice_without_a_prompt_left_has_no_answer_and_the_others_keep_theirs() -> None:
    before = SessionState(SHAPE, (click("a", index=3), click("b")), {2: answer(5), 3: answer(4)})
    assert set(apply(before, UNDO).masks) == {3}


def test_a_session_without_a_prompt_left_has_no_masks_not_even_propagated_ones() -> None:
    before = SessionState(SHAPE, (click("a"),), {2: answer(5), 3: answer(4, is_answered=False)})
    assert apply(before, UNDO).masks == {}


def test_a_new_start_brings_back_what_was_there_before_the_first_prompt_of_each_slice() -> None:
    prompts = (click("a", before=disc(1)), click("b", before=disc(3)), click("c", index=4))
    before = SessionState(SHAPE, prompts, {2: answer(5), 4: answer(5)})
    after = apply(before, START_OVER)
    restored = restored_masks(before, after)
    assert after.active == ()
    assert after.masks == {}
    assert list(restored) == [4, 2], "the slice of the last prompt first"
    assert np.array_equal(restored[2], disc(1))
    assert np.array_equal(restored[4], NOTHING)


def test_a_command_is_remembered_and_is_no_prompt() -> None:
    state = apply(SessionState(SHAPE), UNDO)
    assert state.prompts == (UNDO.command,)
    assert state.active == ()


def test_a_mask_of_pictures_of_another_size_is_not_brought_back() -> None:
    stale = SessionState(SHAPE, (click("a", before=np.ones((3, 5), bool)),))
    with pytest.raises(RejectedInput, match="packed-mask"):
        apply(stale, UNDO)


def test_no_event_changes_the_state_that_it_was_applied_to() -> None:
    before = SessionState(SHAPE, (click("a"),), {2: answer(5)})
    for event in (Given(click("b")), Moved("a", at(9.0)), Ended({"a"}, PromptState.UNDONE), UNDO, START_OVER):
        assert apply(before, event) != before
    assert before == SessionState(SHAPE, (click("a"),), {2: answer(5)})
    assert before.masks[2].bits == packed(disc(5))
