"""What a person is told of a task where no model draws: above its pictures, and in answer to a prompt."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from annotation_backend.labeling.studio_door.addresses import Who
from annotation_backend.labeling.studio_door.conditions import CONDITIONS, Asked
from annotation_backend.labeling.studio_door.narrowing import task_as_opened
from annotation_backend.labeling.studio_door.permits import Permit
from annotation_backend.labeling.studio_door.refusals import BY_HAND, Refused, answer_to

BY_HAND_ALONE = Permit(may_look=True, may_draw=True, sees_others=True)
WITH_MODELS = Permit(may_look=True, may_draw=True, may_prompt=True, sees_others=True, sees_model=True)
TASK = {"id": 3, "data": {"state": "pending", "review_comment": ""}, "predictions": [{"id": 9}]}


def test_a_task_that_is_drawn_by_hand_says_so_above_its_pictures_and_shows_no_draft() -> None:
    seen = task_as_opened(None, TASK, BY_HAND_ALONE)
    assert seen["data"]["review_comment"] == BY_HAND
    assert seen["predictions"] == []
    asked_for = {**TASK, "data": {**TASK["data"], "review_comment": "Lower border."}}  # type: ignore[dict-item]
    assert task_as_opened(None, asked_for, BY_HAND_ALONE)["data"]["review_comment"] == f"{BY_HAND}\nLower border."
    assert TASK["data"]["review_comment"] == "", "what Label Studio has stays"  # type: ignore[index]


@pytest.mark.parametrize("permit", [WITH_MODELS, Permit(may_look=True, sees_others=True)])
def test_whoever_has_models_or_draws_nothing_is_not_told(permit: Permit) -> None:
    assert task_as_opened(None, TASK, permit)["data"]["review_comment"] == ""


def _asking(permit: Permit, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Asked, "of_task", lambda _self, _task: permit)
    body = json.dumps({"task": 3}).encode()
    request = SimpleNamespace(content_type="application/json", content_params={}, body=body)
    return Asked(request=request, who=Who.PROMPT, values={"pk": 1}, entry="entry", person=4)


def test_a_prompt_where_no_model_draws_is_refused_in_words_that_the_editor_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Refused) as refused:
        CONDITIONS[Who.PROMPT](_asking(BY_HAND_ALONE, monkeypatch))
    assert (refused.value.status, refused.value.code) == (403, "door-drawn-by-hand")
    request = SimpleNamespace(method="POST", headers={})
    detail = json.loads(answer_to(request, refused.value).content)["detail"]  # type: ignore[arg-type]
    assert detail == f"{BY_HAND} Remove this prompt."


def test_a_prompt_on_a_slice_that_is_not_theirs_to_draw_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for permit in (Permit(), Permit(may_look=True)):
        with pytest.raises(Refused) as refused:
            CONDITIONS[Who.PROMPT](_asking(permit, monkeypatch))
        assert refused.value.code == "door-not-allowed"
