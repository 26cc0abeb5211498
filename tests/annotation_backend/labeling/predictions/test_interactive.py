"""Interactive requests as Label Studio sends them: masks in place of masks, hints, refusals, overload."""

import json
import shutil
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role
from annotation_backend.inference.models import Prediction, PromptState, Session, SessionPrompt
from annotation_backend.inference.serving import admission
from annotation_backend.labeling.interface.interface import label_config
from annotation_backend.labeling.masks.controls import (
    EXTREME_LABEL,
    IMAGE,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
    MaskFormat,
)
from annotation_backend.labeling.masks.regions import mask_of, region_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.studio.credentials import basic_auth
from annotation_backend.registry.model_registry import models_folder, promote, register_package
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.studies.people import role_in
from annotation_backend.studies.services import change_protocol
from tests.annotation_backend.support.records import SHAPE, accounts, drawn, published, registered_case, the_study
from training.pretrained.shipped import shipped_packages

pytestmark = pytest.mark.django_db

EMAIL = "annotator@maskloop.local"
HEIGHT, WIDTH = SHAPE[1], SHAPE[0]


@pytest.fixture
def task() -> LabelingTask:
    accounts()
    folder = models_folder() / "shipped-clicks-2d"
    if not folder.exists():
        shutil.copytree(shipped_packages()["clicks-2d"], folder)
    promote(register_package(folder), kinds=[PromptKind.POINT], study=the_study())
    return published(registered_case())[2]


def _point(name: str, x: float = 45.0, label: str = "Tumour point", *, positive: bool = True) -> dict[str, Any]:
    return {
        "id": name,
        "type": "keypointlabels",
        "from_name": SMART_POINT,
        "to_name": IMAGE,
        "is_positive": positive,
        "value": {"x": x, "y": 30.0, "width": 0.3, "keypointlabels": [label]},
    }


def _draft(*regions: dict[str, Any], at: str = "2000-01-01T10:00:00Z") -> dict[str, Any]:
    return {"user": EMAIL, "result": list(regions), "updated_at": at}


def _request(task: LabelingTask, *points: dict[str, Any], **rows: Any) -> Any:
    body = {
        "project": f"{task.project.label_studio_id}.1",
        "tasks": [{"id": task.label_studio_id, **rows}],
        "params": {"context": {"result": list(points)}},
    }
    return Client().post(
        reverse("ml-predict"),
        data=json.dumps(body),
        content_type="application/json",
        headers={"authorization": basic_auth()},
    )


def _answer(task: LabelingTask, *points: dict[str, Any], **rows: Any) -> dict[str, Any]:
    answer = _request(task, *points, **rows)
    assert answer.status_code == 200, answer.content
    [result] = answer.json()["results"]
    return dict(result)


def _hint(answer: dict[str, Any]) -> str:
    return str(next(region["value"]["text"][0] for region in answer["result"] if region["type"] == "textarea"))


def _ids(answer: dict[str, Any]) -> list[str]:
    return [region["id"] for region in answer["result"] if region["type"] == "brushlabels"]


@pytest.mark.slow
def test_a_click_is_answered_with_a_mask_a_hint_and_a_record(task: LabelingTask) -> None:
    answer = _answer(task, _point("a"))
    assert _ids(answer) == [f"tumour{task.pk}"]
    assert _hint(answer).startswith("1 click in the tumour:")
    assert answer["model_version"] == "clicks-2d-2"
    assert Prediction.objects.get().prompts["clicks"]


@pytest.mark.slow
def test_the_mask_comes_in_place_of_the_largest_region_that_is_there(task: LabelingTask) -> None:
    small = np.zeros((HEIGHT, WIDTH), dtype=bool)
    small[18:20, 20:24] = True
    draft = _draft(region_of(drawn(), region_id="big", score=None), region_of(small, region_id="small", score=None))
    answer = _answer(task, _point("a"), drafts=[draft])
    assert _ids(answer)[0] == "big"
    mask = mask_of([answer["result"][0]], height=HEIGHT, width=WIDTH).pixels
    if not (small & ~mask).any():
        assert _ids(answer) == ["big"]
    else:
        assert _ids(answer) == ["big", "small"]
        kept = mask_of([answer["result"][1]], height=HEIGHT, width=WIDTH).pixels
        assert np.array_equal(kept, small & mask)


def test_the_session_is_the_drafts_person_and_a_later_unknown_click_goes_to_it(task: LabelingTask) -> None:
    _answer(task, _point("a"), drafts=[_draft()])
    _answer(task, _point("a"), _point("b", 50.0))
    session = Session.objects.get()
    assert session.person is not None
    assert role_in(the_study(), session.person) is Role.ANNOTATOR
    assert session.prompts.count() == 2


def test_two_people_on_one_case_have_a_session_each(task: LabelingTask) -> None:
    _answer(task, _point("a"), drafts=[_draft()])
    _answer(task, _point("b"), drafts=[{**_draft(), "user": "radiologist@maskloop.local"}])
    assert Session.objects.count() == 2
    assert {row.session.prompts.count() for row in SessionPrompt.objects.all()} == {1}


def test_negative_clicks_where_nothing_is_are_answered_with_what_to_do(task: LabelingTask) -> None:
    answer = _answer(task, _point("a", positive=False))
    assert answer["refused"]["code"] == "prompt-negative-only"
    assert "without Alt" in _hint(answer)
    assert _ids(answer) == []


def test_extreme_points_say_what_is_missing(task: LabelingTask) -> None:
    answer = _answer(task, _point("a", 20.0, EXTREME_LABEL), _point("b", 70.0, EXTREME_LABEL))
    assert "2 of 6 extreme points" in _hint(answer)
    assert "first slice" in _hint(answer)


def test_six_extreme_points_without_a_model_for_them_are_answered_with_what_to_do(task: LabelingTask) -> None:
    points = [_point(f"p{at}", 20.0 + 5 * at, EXTREME_LABEL) for at in range(6)]
    answer = _answer(task, *points)
    assert answer["refused"]["code"] == "no-serving-model"


def test_undo_and_start_over_bring_back_what_was_there(task: LabelingTask) -> None:
    before = _draft(region_of(drawn(), region_id="own", score=None))
    _answer(task, _point("a"), drafts=[before])
    first = _answer(task, _point("a"), _point("b", 60.0), drafts=[before])
    undone = _answer(task, _point("u", label=UNDO_LABEL), drafts=[before])
    assert "this slice" in _hint(undone)
    assert _ids(undone) == _ids(first)[:1] == ["own"]
    over = _answer(task, _point("s", label=START_OVER_LABEL), drafts=[before])
    assert np.array_equal(mask_of(over["result"], height=HEIGHT, width=WIDTH).pixels, drawn())
    assert not SessionPrompt.objects.filter(state=PromptState.ACTIVE, asks=PromptKind.POINT).exists()
    assert "no prompt" in _hint(_answer(task, _point("v", label=UNDO_LABEL), drafts=[before]))


def test_an_undo_on_another_slice_says_where_it_was(task: LabelingTask) -> None:
    _answer(task, _point("a"), drafts=[_draft()])
    other = LabelingTask.objects.get(slice_index=4)
    undone = _answer(other, _point("u", label=UNDO_LABEL), drafts=[_draft()])
    assert f"slice {task.slice_index}" in _hint(undone)
    assert _ids(undone) == []


def test_an_empty_context_after_a_submit_changes_nothing(task: LabelingTask) -> None:
    assert _answer(task)["result"] == []
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": {"x": 101, "y": 1, "keypointlabels": ["Tumour point"]}}, "prompt-position"),
        ({"value": {"x": "1", "y": 1, "keypointlabels": ["Tumour point"]}}, "prompt-position"),
        ({"from_name": "other"}, "prompt-control"),
        ({"to_name": "companion"}, "prompt-control"),
        ({"original_width": 9, "original_height": 9}, "prompt-picture"),
        ({"image_rotation": 90}, "prompt-rotated"),
    ],
)
def test_what_the_editor_never_sends_is_refused_by_name(task: LabelingTask, change: dict[str, Any], code: str) -> None:
    answer = _request(task, {**_point("a"), **change})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not SessionPrompt.objects.exists()


def test_nan_in_a_prompt_is_refused_by_name(task: LabelingTask) -> None:
    answer = _request(task, _point("a", float("nan")))
    assert (answer.status_code, answer.json()["code"]) == (400, "prompt-position")


def test_overload_is_answered_with_when_to_come_again(task: LabelingTask, monkeypatch: pytest.MonkeyPatch) -> None:
    full = admission.Admission(at_once=1, patience=0.0, most_waiting=0)
    monkeypatch.setattr(admission, "process_admission", lambda: full)
    with full.turn("somebody else"):
        answer = _request(task, _point("a"))
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert int(answer["Retry-After"]) >= 1
    assert _answer(task, _point("a"))["model_version"] == "clicks-2d-2"


def test_an_interactive_request_is_about_one_task(task: LabelingTask) -> None:
    body = {"project": "1.1", "tasks": [{"id": task.label_studio_id}] * 2, "params": {"context": {"result": []}}}
    answer = Client().post(
        reverse("ml-predict"),
        data=json.dumps(body),
        content_type="application/json",
        headers={"authorization": basic_auth()},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "request-malformed")


@pytest.fixture
def two_labels(task: LabelingTask) -> LabelingTask:
    """The study's protocol lets prompts draw oedema as well, for which the shipped click model was not trained."""
    document = task.project.study.document.replace("version = 1", "version = 2", 1)
    document = document.replace('key = "7"', 'key = "7"\nprompted = true')
    change_protocol(task.project.study, document)
    return LabelingTask.objects.get(pk=task.pk)


def _labels(answer: dict[str, Any]) -> list[list[str]]:
    return [region["value"]["brushlabels"] for region in answer["result"] if region["type"] == "brushlabels"]


def test_a_prompt_draws_the_label_whose_control_was_used(two_labels: LabelingTask) -> None:
    model = Model.objects.get()
    answer = _answer(two_labels, _point("o", label="Oedema point"))
    assert answer["refused"]["code"] == "no-serving-model"
    assert "click prompts for Oedema" in _hint(answer)
    assert f"{model} draws Tumour, not Oedema" in _hint(answer)
    promote(model, study=the_study(), kinds=[PromptKind.POINT], label="Oedema")
    drawn_oedema = _answer(two_labels, _point("o", label="Oedema point"))
    assert _labels(drawn_oedema) == [["Oedema"]]
    assert "in the oedema" in _hint(drawn_oedema)
    assert _labels(_answer(two_labels, _point("t"))) == [["Tumour"]]
    assert sorted(Session.objects.values_list("label", flat=True)) == ["", "Oedema"]


def test_prompts_of_two_labels_do_not_mix(two_labels: LabelingTask) -> None:
    promote(Model.objects.get(), study=the_study(), kinds=[PromptKind.POINT], label="Oedema")
    other = region_of(drawn(), region_id="kept", score=None, label="Oedema")
    first = _answer(two_labels, _point("a"), drafts=[_draft(other)])
    both = _answer(two_labels, _point("a"), _point("o", 60.0, label="Oedema point"), drafts=[_draft(other)])
    assert _labels(first) == [["Tumour"]]
    assert {*map(tuple, _labels(both))} == {("Oedema",)}
    assert "1 click in the oedema" in _hint(both)
    undone = _answer(two_labels, _point("u", label=UNDO_LABEL), drafts=[_draft(other)])
    assert {*map(tuple, _labels(undone))} == {("Oedema",)}
    prompts = SessionPrompt.objects.filter(asks=PromptKind.POINT).values_list("session__label", "region_id", "state")
    assert sorted(prompts) == [("", "a", PromptState.ACTIVE), ("Oedema", "o", PromptState.UNDONE)]


def test_the_interface_offers_prompts_of_every_prompted_label(two_labels: LabelingTask) -> None:
    config = label_config(MaskFormat.BRUSH, two_labels.project.protocol)
    for label in ("Tumour point", "Tumour box", "Oedema point", "Oedema box", "Oedema extreme point"):
        assert config.count(f'<Label value="{label}"') == 1
