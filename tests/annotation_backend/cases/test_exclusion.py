"""An exclusion closes a case's pictures and tasks at once; taking it back opens them again, with new addresses."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, Slice
from annotation_backend.inference.jobs import embed_case
from annotation_backend.inference.models import MaskOrigin, PromptState, SessionPrompt
from annotation_backend.inference.serving.segmenting import SlicePrediction
from annotation_backend.inference.sessions.answering import Answer
from annotation_backend.inference.sessions.requests import SessionRequest
from annotation_backend.inference.sessions.sessions import keep_answer, kept_masks, session_of
from annotation_backend.labeling import jobs, upkeep
from annotation_backend.labeling.jobs import assemble_case, follow_exclusion
from annotation_backend.labeling.management.commands import remove_person
from annotation_backend.labeling.masks.controls import IMAGE, SMART_POINT
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask, ReceivedBy
from annotation_backend.labeling.predictions import interactive, predictions
from annotation_backend.labeling.predictions.jobs import push_slices
from annotation_backend.labeling.project import task_states
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import store
from annotation_backend.labeling.studio.credentials import basic_auth
from annotation_backend.labeling.versions.versions import restore
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble
from tests.annotation_backend.support.records import drawn, published, registered_case, save_body, saved
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(people: dict[Role, User]) -> Case:
    return registered_case()


@pytest.fixture
def tasks(case: Case) -> list[LabelingTask]:
    return published(case)


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch, tasks: list[LabelingTask]) -> LabelStudioDouble:
    double = LabelStudioDouble()
    double.takes_the_place(monkeypatch)
    for task in tasks:
        shown = {"case": "C0001", "slice": task.slice_index, "state": "pending", "review_comment": ""}
        double.tasks[task.label_studio_id] = shown
    return double


def _addresses(case: Case) -> list[str]:
    return [url for picture in case.slices.all() for url in picture.urls_in_windows().values()]


def _statuses(addresses: list[str]) -> set[int]:
    return {Client().get(address).status_code for address in addresses}


def _asked(task: LabelingTask, context: list[dict[str, Any]] | None = None) -> Any:
    body: dict[str, Any] = {
        "project": f"{task.project.label_studio_id}.1",
        "tasks": [{"id": task.label_studio_id}],
        "params": {"context": None if context is None else {"result": context}},
    }
    headers = {"authorization": basic_auth()}
    return Client().post(reverse("ml-predict"), json.dumps(body), content_type="application/json", headers=headers)


def test_an_excluded_cases_pictures_close_in_every_window_and_open_again_at_new_addresses(case: Case) -> None:
    before = _addresses(case)
    assert _statuses(before) == {200}
    exclude(case, reason="consent withdrawn")
    assert _statuses(before) == {404}
    assert not Slice.objects.filter(case=case, revoked=False).exists()
    take_back(case)
    assert _statuses(before) == {404}
    after = _addresses(Case.objects.get(pk=case.pk))
    assert _statuses(after) == {200}
    assert not set(before) & set(after)


def test_who_leaves_has_kept_no_address_of_a_picture(
    case: Case,
    tasks: list[LabelingTask],
    people: dict[Role, User],
    studio: LabelStudioDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = registered_case("C0002")
    exclude(other, reason="consent withdrawn")
    monkeypatch.setattr(remove_person, "close_account", lambda _person: [])
    kept = [*_addresses(case), *_addresses(other)]
    call_command("remove_person", people[Role.ANNOTATOR].email, dry_run=True)
    assert _statuses(_addresses(case)) == {200}
    call_command("remove_person", people[Role.ANNOTATOR].email)
    assert _statuses(kept) == {404}
    assert _statuses(_addresses(other)) == {404}
    follow_exclusion.call(case_code="C0001")
    shown = {data["annotated"] for data in studio.tasks.values()}
    assert _statuses(list(shown)) == {200}
    assert len(shown) == len(tasks)


def test_an_address_that_is_renewed_while_the_case_is_excluded_stays_closed(case: Case) -> None:
    exclude(case, reason="consent withdrawn")
    picture = Slice.objects.filter(case=case)[0]
    picture.renew_token()
    picture.save()
    assert _statuses([picture.url]) == {404}


def test_an_excluded_cases_pictures_are_shown_to_those_who_decide_and_to_no_annotator(
    client: Client, people: dict[Role, User], case: Case, tasks: list[LabelingTask]
) -> None:
    saved(tasks[2])
    pages = [
        page_at("slice-picture", "C0001", "t2", 2),
        page_at("registration-slice", "C0001", "t1", "moving", 2),
        page_at("case-checkerboard", "C0001"),
        page_at("comparison-picture", "C0001", 2, 1, 1),
        page_at("slice-versions", "C0001", 2),
    ]
    exclude(case, reason="consent withdrawn")
    for role, status in ((Role.ANNOTATOR, 410), (Role.DATA_MANAGER, 200), (Role.RADIOLOGIST, 200)):
        client.force_login(people[role])
        assert [client.get(page).status_code for page in pages] == [status] * len(pages), role
    client.force_login(people[Role.ANNOTATOR])
    refused = client.get(pages[0])
    assert b"case-excluded" in refused.content
    page = client.get(page_at("case-page", "C0001")).content.decode()
    assert "Excluded: consent withdrawn" in page
    assert "<img loading" not in page
    take_back(case)
    assert [client.get(page).status_code for page in pages] == [200] * len(pages)


def test_a_prompt_on_an_excluded_case_is_refused_by_name(case: Case, tasks: list[LabelingTask]) -> None:
    exclude(case, reason="consent withdrawn")
    [prompted] = _asked(tasks[2], [{"id": "p"}]).json()["results"]
    assert prompted["refused"]["code"] == "case-excluded"
    assert "C0001 is excluded" in json.dumps(prompted["result"])
    assert "consent" not in json.dumps(prompted)
    opened = _asked(tasks[2])
    assert (opened.status_code, opened.json()["code"]) == (400, "case-excluded")


def test_sessions_end_and_an_answer_under_way_is_not_kept(case: Case, people: dict[Role, User]) -> None:
    session = session_of(case, people[Role.ANNOTATOR])
    SessionPrompt.objects.create(
        session=session, region_id="a", asks="click", slice_index=2, place={}, turn=1, batch=1, before=b"x"
    )
    turn = SessionRequest(session, 1, 2, None, drawn(False), drawn(False))
    keep_answer(turn, {2: drawn()}, model_version="m")
    exclude(case, reason="consent withdrawn")
    keep_answer(turn, {2: drawn()}, model_version="m")
    assert kept_masks(session, drawn().shape, origin=MaskOrigin.ANSWERED) == {}
    assert set(session.prompts.values_list("state", flat=True)) == {PromptState.UNDONE}
    take_back(case)
    keep_answer(turn, {2: drawn()}, model_version="m")
    assert list(kept_masks(session, drawn().shape)) == [2]


def test_jobs_that_wait_draw_nothing_on_an_excluded_case(case: Case, tasks: list[LabelingTask]) -> None:
    exclude(case, reason="consent withdrawn")
    case = Case.objects.get(pk=case.pk)
    assert predictions.push_predictions(case) == 0
    assert embed_case.call(case_code="C0001") == 0
    assert push_slices.call(slices={"C0001": [1, 2]}) == 0


def test_what_was_drawn_while_the_case_was_excluded_is_shown_to_nobody(
    case: Case, tasks: list[LabelingTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_by(monkeypatch, BrightSegmenter())
    model = known_model(kinds=(PromptKind.AUTOMATIC, PromptKind.POINT))
    shown: list[Any] = []
    monkeypatch.setattr(predictions, "show_predictions", lambda *_: shown.append(1))

    def drawn_late(_case: Case, indices: list[int], **_: Any) -> list[SlicePrediction]:
        exclude(case, reason="consent withdrawn")
        return [SlicePrediction(index, drawn(), 0.5, model, "m") for index in indices]

    def answered_late(*_: Any, **__: Any) -> Answer:
        exclude(case, reason="consent withdrawn")
        return Answer({2: drawn()}, "m", 0.5, 0.1)

    monkeypatch.setattr(predictions, "initial_masks", drawn_late)
    predictions.push_predictions(case)
    assert shown == []
    take_back(case)
    monkeypatch.setattr(interactive, "answer_request", answered_late)
    [prompted] = _asked(tasks[2], [_point()]).json()["results"]
    assert prompted["refused"]["code"] == "case-excluded"
    assert not [region for region in prompted["result"] if region["type"] == "brushlabels"]


def _point() -> dict[str, Any]:
    value = {"x": 45.0, "y": 30.0, "width": 0.3, "keypointlabels": ["Tumour point"]}
    named = {"type": "keypointlabels", "from_name": SMART_POINT, "to_name": IMAGE}
    return {"id": "p", **named, "is_positive": True, "value": value}


def test_tasks_leave_the_tabs_and_come_back_as_they_were_with_their_pictures_new_addresses(
    case: Case, tasks: list[LabelingTask], studio: LabelStudioDouble
) -> None:
    LabelingTask.objects.filter(pk=tasks[2].pk).update(state="returned", review_comment="the upper end")
    task_states.mirror_states(case)
    exclude(case, reason="consent withdrawn")
    assert _queued(follow_exclusion) == 1
    follow_exclusion.call(case_code="C0001")
    assert {data["state"] for data in studio.tasks.values()} == {"excluded"}
    assert upkeep.unfinished_cases() == set()
    take_back(case)
    follow_exclusion.call(case_code="C0001")
    shown = studio.tasks[tasks[2].label_studio_id]
    assert (shown["state"], shown["review_comment"]) == ("returned", "the upper end")
    assert studio.tasks[tasks[1].label_studio_id]["state"] == "pending"
    assert _statuses([shown["annotated"], *shown["companions"]]) == {200}
    assert upkeep.unfinished_cases() == set()


def test_a_save_on_an_excluded_case_is_kept_and_counts_once_the_case_is_taken_back(
    case: Case, tasks: list[LabelingTask], studio: LabelStudioDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "confirm_saves", lambda _case: False)  # Label Studio told us of it, see below
    exclude(case, reason="consent withdrawn")
    _, is_new = store(read_save(save_body(tasks[2])), received_by=ReceivedBy.PULL)
    assert is_new
    assemble_case.call(case_code="C0001")
    assert Annotation.objects.count() == 1
    assert CaseMask.objects.count() == 0
    assert upkeep.cases_behind() == set()
    take_back(case)
    assert _queued(assemble_case) == 1
    assemble_case.call(case_code="C0001")
    assert CaseMask.objects.get().annotated_slices == [2]


def test_no_version_of_an_excluded_cases_slice_is_written_back(
    case: Case, tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    version, _ = store(read_save(save_body(tasks[2])), received_by=ReceivedBy.PULL)
    exclude(case, reason="consent withdrawn")
    with pytest.raises(RejectedInput, match="case-excluded"):
        restore(version, person=people[Role.RADIOLOGIST])


def _queued(job: Any) -> int:
    return DBTaskResult.objects.ready().filter(task_path=job.module_path).count()
