"""Sessions: prompts, undo and start over, request by request."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case
from annotation_backend.inference.models import MaskOrigin, PromptState, Session
from annotation_backend.inference.sessions.requests import CurrentMask, SessionRequest
from annotation_backend.inference.sessions.sessions import (
    keep_answer,
    keep_propagated,
    kept_masks,
    record_request,
    session_of,
)
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.registry.models import PromptKind
from datasets.image.packed_mask import packed
from tests.annotation_backend.support.records import accounts, registered_case
from training.prompts.prompt import Box, Click, Prompts

pytestmark = pytest.mark.django_db

SHAPE = (20, 24)
NOTHING = np.zeros(SHAPE, dtype=bool)


def _disc(radius: int) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.asarray((rows - 10) ** 2 + (columns - 12) ** 2 <= radius**2)


def _click(name: str, x: float = 0.0, *, positive: bool = True) -> SmartPrompt:
    return SmartPrompt(name, PromptKind.POINT, Prompts(clicks=(Click((x, 0.0, 0.0), positive=positive),)))


def _end(name: str, x: float) -> SmartPrompt:
    return SmartPrompt(name, PromptKind.EXTREME_POINTS, Prompts(extreme_points=((x, 0.0, 0.0),)))


def _command(name: str, command: SessionCommand) -> SmartPrompt:
    return SmartPrompt(name, command, Prompts())


@pytest.fixture
def case() -> Case:
    return registered_case()


@pytest.fixture
def session(case: Case) -> Session:
    return session_of(case, accounts()[Role.ANNOTATOR])


def _request(
    session: Session, pending: list[SmartPrompt], *, index: int = 2, current: CurrentMask | None = None
) -> SessionRequest:
    return record_request(session, index, pending, current=current or CurrentMask(NOTHING))


def _answered(session: Session, pending: list[SmartPrompt], mask: np.ndarray, *, index: int = 2) -> SessionRequest:
    request = _request(session, pending, index=index)
    keep_answer(request, {index: mask}, model_version="m")
    return request


def test_a_person_has_one_session_a_case_and_nobody_has_one_too(case: Case) -> None:
    person = accounts()[Role.ANNOTATOR]
    assert session_of(case, person) == session_of(case, person)
    assert session_of(case, None) == session_of(case, None) != session_of(case, person)


def test_clicks_add_up_and_the_second_starts_from_the_answer_to_the_first(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    request = _request(session, [_click("a"), _click("b", positive=False)])
    assert [click.positive for click in request.prompts[PromptKind.POINT].clicks] == [True, False]
    assert np.array_equal(request.base, _disc(3))
    assert request.kind is PromptKind.POINT
    assert request.number == 2


def test_a_click_starts_from_the_saved_draft_where_that_is_newer_than_the_answer(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    later = CurrentMask(_disc(6), timezone.now() + timedelta(seconds=5))
    request = _request(session, [_click("b")], current=later)
    assert np.array_equal(request.base, _disc(6))
    assert len(request.prompts[PromptKind.POINT].clicks) == 2


def test_an_accepted_answer_counts_before_its_draft_is_saved(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    earlier = CurrentMask(NOTHING, timezone.now() - timedelta(seconds=5))
    assert np.array_equal(_request(session, [_click("b")], current=earlier).base, _disc(3))


def test_a_rejected_answer_and_its_clicks_are_forgotten(session: Session) -> None:
    before = CurrentMask(_disc(2))
    request = _request(session, [_click("a")], current=before)
    keep_answer(request, {2: _disc(8)}, model_version="m")
    unchanged = CurrentMask(_disc(2), timezone.now() + timedelta(seconds=4))
    request = _request(session, [_click("b", 1.0)], current=unchanged)
    assert np.array_equal(request.base, _disc(2))
    assert [click.point_mm[0] for click in request.prompts[PromptKind.POINT].clicks] == [1.0]
    assert session.prompts.get(region_id="a").state == PromptState.REJECTED


def test_a_click_that_was_deleted_is_taken_back(session: Session) -> None:
    _answered(session, [_click("a"), _click("b", 1.0)], _disc(3))
    request = _request(session, [_click("b", 1.0)])
    assert [click.point_mm[0] for click in request.prompts[PromptKind.POINT].clicks] == [1.0]


def test_a_click_that_was_dragged_counts_where_it_is_now(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    assert _request(session, [_click("a", 5.0)]).prompts[PromptKind.POINT].clicks[0].point_mm[0] == 5.0


def test_extreme_points_are_gathered_over_slices(session: Session) -> None:
    _request(session, [_end("a", 1.0)], index=0)
    _request(session, [_end("b", 2.0), _end("c", 3.0)], index=2)
    request = _request(session, [_end("d", 4.0)], index=4)
    gathered = request.everywhere(PromptKind.EXTREME_POINTS).extreme_points
    assert sorted(point[0] for point in gathered) == [1.0, 2.0, 3.0, 4.0]


def test_undo_brings_the_mask_before_the_last_prompt_back_on_whatever_slice(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    _answered(session, [_click("a"), _click("b")], _disc(5))
    undone = _request(session, [_command("u", SessionCommand.UNDO)], index=4)
    assert undone.command is SessionCommand.UNDO
    assert list(undone.restored) == [2]
    assert np.array_equal(undone.restored[2], _disc(3))
    assert np.array_equal(kept_masks(session, SHAPE)[2], _disc(3))


def test_the_same_undo_sent_again_is_granted_once(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    _answered(session, [_click("a"), _click("b")], _disc(5))
    _request(session, [_command("u", SessionCommand.UNDO)])
    second = _request(session, [_command("u", SessionCommand.UNDO), _command("v", SessionCommand.UNDO)])
    assert np.array_equal(second.restored[2], NOTHING)
    assert kept_masks(session, SHAPE) == {}
    assert not _request(session, [_command("w", SessionCommand.UNDO)]).restored


def test_a_new_start_forgets_all_prompts_and_masks_of_the_session(session: Session) -> None:
    _answered(session, [_click("a")], _disc(3))
    _answered(session, [_click("b")], _disc(5), index=3)
    request = _request(session, [_command("s", SessionCommand.START_OVER)])
    assert set(request.restored) == {2, 3}
    assert not any(mask.any() for mask in request.restored.values())
    assert kept_masks(session, SHAPE) == {}
    after = _request(session, [_click("c", 9.0)])
    assert [click.point_mm[0] for click in after.prompts[PromptKind.POINT].clicks] == [9.0]


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(session: Session) -> None:
    slow = _request(session, [_click("a")])
    fast = _request(session, [_click("a"), _click("b")])
    keep_answer(fast, {2: _disc(5)}, model_version="fast")
    keep_answer(slow, {2: _disc(3)}, model_version="slow")
    assert np.array_equal(kept_masks(session, SHAPE)[2], _disc(5))


def test_what_a_person_pointed_at_is_not_replaced_by_what_was_carried_there(session: Session) -> None:
    request = _answered(session, [_click("a")], _disc(3))
    keep_propagated(session, {2: _disc(8), 3: _disc(4)}, turn=request.number, model_version="m")
    assert np.array_equal(kept_masks(session, SHAPE)[2], _disc(3))
    assert np.array_equal(kept_masks(session, SHAPE, origin=MaskOrigin.PROPAGATED)[3], _disc(4))


def test_a_box_beside_clicks_decides_the_model(session: Session) -> None:
    box = SmartPrompt("b", PromptKind.BOX, Prompts(boxes=(Box((0.0, 0.0, 0.0), (1.0, 1.0, 0.0)),)))
    assert _request(session, [_click("a"), box]).kind is PromptKind.BOX


@pytest.mark.parametrize("command", list(SessionCommand))
def test_an_answer_that_an_undo_or_a_new_start_overtook_is_not_kept(session: Session, command: SessionCommand) -> None:
    overtaken = _request(session, [_click("a")])
    _request(session, [_command("w", command)])
    keep_answer(overtaken, {2: _disc(5), 3: _disc(5)}, model_version="late")
    assert not session.slices.exists()


@pytest.mark.parametrize("command", [None, *SessionCommand])
def test_a_session_on_pictures_that_were_replaced_begins_anew(session: Session, command: SessionCommand | None) -> None:
    for name in ("a", "b"):
        _answered(session, [_click(name)], _disc(5))
    session.slices.update(bits=packed(np.ones((3, 5), bool)))
    session.prompts.update(before=packed(np.ones((3, 5), bool)))
    assert kept_masks(session, SHAPE) == {}
    request = _request(session, [_click("c") if command is None else _command("w", command)])
    assert not request.base.any()
    again = _answered(session, [_click("d")], _disc(3))
    assert not again.base.any()
    assert np.array_equal(kept_masks(session, SHAPE)[2], _disc(3))
