"""Changes of others in Label Studio: each is named, mended, and recorded with the saves that were made meanwhile."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotation_backend.accounts.models import Role, User
from annotation_backend.doctor.services import shown_in_label_studio
from annotation_backend.labeling.interface.editor import wanted_interface
from annotation_backend.labeling.models import (
    OF_TASKS,
    AnnotationFinding,
    FindingKind,
    LabelingProject,
    LabelingTask,
    StudioChange,
    Subject,
    TaskState,
)
from annotation_backend.labeling.project.task_states import mirror_states
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio.credentials import basic_auth, ml_backend_url, webhook_headers, webhook_url
from annotation_backend.labeling.studio.shown_predictions import show_predictions
from annotation_backend.labeling.watch import foreign_tasks, services, tasks
from annotation_backend.labeling.watch.interface import SETTINGS
from annotation_backend.labeling.watch.jobs import look_over_project
from annotation_backend.labeling.watch.services import look, settle
from datasets.errors import ProgramFault, RejectedInput, TryAgain
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble, answer_with
from tests.annotation_backend.support.records import (
    accounts,
    first_account,
    published,
    registered_case,
    saved,
    the_study,
)
from tests.annotation_backend.support.segmenters import known_model

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

Attack = Callable[[LabelStudioDouble], None]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    double.takes_the_place(monkeypatch)
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
    return double


@pytest.fixture
def project(studio: LabelStudioDouble) -> LabelingProject:
    """Our project as the first round leaves it, with a prediction on each task of one case."""
    accounts()
    studio.project |= SETTINGS
    tasks = published(registered_case())
    project = tasks[0].project
    LabelingProject.objects.filter(pk=project.pk).update(label_studio_id=1)
    project.refresh_from_db()
    studio.tasks = {task.label_studio_id: {} for task in tasks}
    settle(project)
    for task in LabelingTask.objects.select_related("project"):
        show_predictions([task], [_prediction(task, "ours")])
    StudioChange.objects.all().delete()
    assert settle(project) == []
    return project


def _prediction(task: LabelingTask, content: str) -> dict[str, Any]:
    return {"task": task.label_studio_id, "result": [{"id": content}], "model_version": "m-1", "score": 0.5}


def _first(things: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return things[min(things)]


def _adds(kind: str, **row: Any) -> Attack:
    return lambda studio: getattr(studio, kind).update({77: {"id": 77, **row}})


def _sets(kind: str, **row: Any) -> Attack:
    return lambda studio: _first(getattr(studio, kind)).update(row)


def _loses(kind: str) -> Attack:
    return lambda studio: getattr(studio, kind).pop(min(getattr(studio, kind)))


def _in_project(**changes: Any) -> Attack:
    return lambda studio: studio.project.update(changes)


def _in_task(**changes: Any) -> Attack:
    return lambda studio: _first(studio.tasks).update(changes)


def _storage(studio: LabelStudioDouble) -> None:
    studio.storages["/api/storages/export"].append({"id": 4, "type": "s3"})


ELSEWHERE = "https://elsewhere.example/ml"

ATTACKS: dict[str, tuple[Attack, Subject]] = {
    "another interface": (_in_project(label_config="<View><Markdown/></View>"), Subject.INTERFACE),
    "another instruction": (_in_project(expert_instruction="Draw the bone"), Subject.INTERFACE),
    "predictions hidden": (_in_project(show_collab_predictions=False), Subject.SETTING),
    "another version of predictions": (_in_project(model_version="evil"), Subject.SETTING),
    "two annotations a task": (_in_project(maximum_annotations=2), Subject.SETTING),
    "nothing empty may be submitted": (_in_project(enable_empty_annotation=False), Subject.SETTING),
    "our backend points elsewhere": (_sets("backends", url=ELSEWHERE), Subject.BACKEND),
    "our backend is not asked": (_sets("backends", is_interactive=False), Subject.BACKEND),
    "our backend without its password": (_sets("backends", auth_method="NONE"), Subject.BACKEND),
    "our backend is gone": (_loses("backends"), Subject.BACKEND),
    "a second backend": (_adds("backends", url=ELSEWHERE, title="x"), Subject.BACKEND),
    "a second webhook": (_adds("webhooks", url=f"{ELSEWHERE}/copy", project=1, is_active=True), Subject.WEBHOOK),
    "a webhook of all projects": (_adds("webhooks", url=ELSEWHERE, project=None, is_active=True), Subject.WEBHOOK),
    "our webhook points elsewhere": (_sets("webhooks", url=ELSEWHERE), Subject.WEBHOOK),
    "our webhook is off": (_sets("webhooks", is_active=False), Subject.WEBHOOK),
    "our webhook for some actions": (_sets("webhooks", send_for_all_actions=False), Subject.WEBHOOK),
    "our webhook without its header": (_sets("webhooks", headers={}), Subject.WEBHOOK),
    "our webhook is gone": (_loses("webhooks"), Subject.WEBHOOK),
    "a storage that copies out": (_storage, Subject.STORAGE),
    "another slice's picture": (_in_task(annotated="http://127.0.0.1:8000/pictures/other.png"), Subject.PICTURE),
    "pictures changed places": (_in_task(companions=[]), Subject.PICTURE),
    "state approved": (_in_task(state="approved"), Subject.STATE),
    "a comment": (_in_task(review_comment="draw less"), Subject.COMMENT),
    "another sequence's name": (_in_task(annotated_sequence="Draw here: T1"), Subject.TASK_DATA),
    "another case's code": (_in_task(case="C0002"), Subject.TASK_DATA),
    "a prediction replaced": (_sets("predictions", result=[{"id": "evil"}]), Subject.PREDICTION),
    "a prediction emptied": (_sets("predictions", result=[]), Subject.PREDICTION),
}


def test_a_new_project_is_connected_without_a_word(studio: LabelStudioDouble) -> None:
    studio.project |= SETTINGS
    new = LabelingProject.objects.create(label_studio_id=1, title="New", study=the_study())
    studio.project |= wanted_interface(new)
    assert settle(new) == []
    assert not StudioChange.objects.exists()
    _is_connected_as_it_should_be(studio)


def test_tasks_that_label_studio_cannot_list_keep_the_rest_from_being_looked_at_no_more_than_once(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: Any, **_options: Any) -> Any:
        raise TryAgain("label-studio-error", "Label Studio failed with status 500.", remedy="Run it again.")

    ATTACKS["a second webhook"][0](studio)
    ATTACKS["another slice's picture"][0](studio)
    looked = project.looked_at
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "all_tasks", fails)
        assert "not looked at" in settle(project)[-1]
    _is_connected_as_it_should_be(studio)
    assert project.looked_at == looked
    settle(project)
    assert look(project) == []


@pytest.mark.parametrize("name", ATTACKS)
def test_what_was_changed_in_label_studio_is_named_mended_and_remembered(
    studio: LabelStudioDouble, project: LabelingProject, name: str
) -> None:
    before = json.dumps([studio.project, studio.tasks], sort_keys=True)
    attack, subject = ATTACKS[name]
    attack(studio)
    changes = len(studio.changes)
    assert {one.subject for one in look(project)} == {subject}
    assert len(studio.changes) == changes, "a look changes nothing"
    told = settle(project)
    assert told
    assert all("studio-changed" in line for line in told)
    assert {row.subject for row in StudioChange.objects.all()} == {subject}
    assert all(row.mended_at and row.good_until for row in StudioChange.objects.all())
    assert json.dumps([studio.project, studio.tasks], sort_keys=True) == before
    assert look(project) == []
    assert settle(project) == []
    _is_connected_as_it_should_be(studio)


def _is_connected_as_it_should_be(studio: LabelStudioDouble) -> None:
    [backend] = studio.backends.values()
    assert (backend["url"], backend["is_interactive"], backend["auth_method"]) == (ml_backend_url(), True, "BASIC_AUTH")
    [webhook] = [hook for hook in studio.webhooks.values() if hook["is_active"]]
    assert (webhook["url"], webhook["headers"], webhook["project"]) == (webhook_url(), webhook_headers(), 1)
    assert studio.storages == {"/api/storages/": [], "/api/storages/export": []}


OF_PROJECT = sorted(name for name, (_, subject) in ATTACKS.items() if subject not in OF_TASKS)


@pytest.mark.slow
@hypothesis_settings(max_examples=100, deadline=None)
@given(names=st.lists(st.sampled_from(OF_PROJECT), min_size=1, max_size=6))
def test_whatever_was_changed_together_is_named_and_mended(names: list[str]) -> None:
    double = LabelStudioDouble()
    with pytest.MonkeyPatch.context() as monkeypatch, transaction.atomic():
        double.takes_the_place(monkeypatch)
        monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
        mine = LabelingProject.objects.create(label_studio_id=1, title="Many", study=the_study())
        settle(mine)
        StudioChange.objects.all().delete()
        done = {subject for name in names if (subject := _attacked(double, name))}
        settle(mine)
        assert {row.subject for row in StudioChange.objects.all()} == done
        assert look(mine) == []
        _is_connected_as_it_should_be(double)
        transaction.set_rollback(True)


def _attacked(double: LabelStudioDouble, name: str) -> Subject | None:
    """Does it, unless what it is about is gone already."""
    attack, subject = ATTACKS[name]
    things = {Subject.BACKEND: double.backends, Subject.WEBHOOK: double.webhooks}
    if not things.get(subject, {1: {}}):
        return subject
    attack(double)
    return subject


def test_a_password_that_was_sent_elsewhere_is_renewed_and_label_studio_told(
    studio: LabelStudioDouble, project: LabelingProject, client: Client
) -> None:
    stolen = basic_auth()
    _first(studio.backends)["url"] = ELSEWHERE
    settle(project)
    assert basic_auth() != stolen
    assert client.get(reverse("ml-versions"), headers={"authorization": stolen}).status_code == 401
    assert client.get(reverse("ml-versions"), headers={"authorization": basic_auth()}).status_code == 200
    assert basic_auth().endswith(_as_basic(_first(studio.backends)))


def _as_basic(backend: dict[str, Any]) -> str:
    import base64

    return base64.b64encode(f"{backend['basic_auth_user']}:{backend['basic_auth_pass']}".encode()).decode()


@pytest.mark.parametrize("way", ["ours", "a copy", "of all projects", "under another name", "in the address"])
def test_a_header_that_was_sent_elsewhere_is_renewed(
    studio: LabelStudioDouble, project: LabelingProject, way: str
) -> None:
    stolen = webhook_headers()
    [secret] = stolen.values()
    copy = {"id": 9, "url": ELSEWHERE, "project": 1, "is_active": True, "headers": stolen}
    if way == "ours":
        _first(studio.webhooks)["url"] = ELSEWHERE
    else:
        studio.webhooks[9] = {
            "a copy": copy,
            "of all projects": {**copy, "project": None},
            "under another name": {**copy, "headers": {"X-Copy": f"Bearer {secret}"}},
            "in the address": {**copy, "headers": None, "url": f"{ELSEWHERE}?key={secret}"},
        }[way]
    settle(project)
    assert webhook_headers() != stolen
    _is_connected_as_it_should_be(studio)


def test_a_renewal_that_label_studio_was_not_told_yet_is_no_change_of_anybody(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    from annotation_backend.labeling.models import Secret
    from annotation_backend.labeling.studio.credentials import renew

    renew(Secret.WEBHOOK, reason="seen elsewhere")
    assert settle(project) == []
    _is_connected_as_it_should_be(studio)


@pytest.mark.parametrize("name", ["another interface", "another slice's picture", "a prediction replaced"])
def test_what_was_drawn_while_something_else_was_shown_waits_for_a_reviewer(
    studio: LabelStudioDouble, project: LabelingProject, name: str
) -> None:
    first, second = LabelingTask.objects.order_by("slice_index")[:2]
    attack, subject = ATTACKS[name]
    _save(second, identifier=5, moment=timezone.now() - timedelta(hours=2))
    attack(studio)
    _save(first, identifier=6, moment=timezone.now())
    settle(project)
    found = AnnotationFinding.objects.filter(kind=FindingKind.SHOWN)
    assert [(one.annotation.task_id, one.label) for one in found] == [(first.pk, subject)]
    settle(project)
    assert found.count() == 1


def test_who_submits_a_task_that_was_open_before_it_was_mended_is_found_too(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    first, second = LabelingTask.objects.order_by("slice_index")[:2]
    ATTACKS["another interface"][0](studio)
    settle(project)
    later = timezone.now() + timedelta(minutes=5)
    _save(first, identifier=6, moment=later, lead_time=600.0)
    _save(second, identifier=7, moment=later, lead_time=3.0)
    settle(project)
    [found] = AnnotationFinding.objects.filter(kind=FindingKind.SHOWN)
    assert found.annotation.task == first


def _save(task: LabelingTask, *, identifier: int, moment: Any, lead_time: float = 1.0) -> None:
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    saved(task, identifier=identifier, updated_at=stamp, lead_time=lead_time)


def test_the_same_change_again_and_again_is_one_row(studio: LabelStudioDouble, project: LabelingProject) -> None:
    for _ in range(3):
        for data in studio.tasks.values():
            data["state"] = "approved"
        settle(project)
    [row] = StudioChange.objects.all()
    assert (row.times, row.slices) == (3 * len(studio.tasks), sorted(row.slices))
    assert len(row.slices) == len(studio.tasks)


def test_a_task_that_is_none_of_ours_is_named_and_leaves_the_tabs_with_its_drawings(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    copied = dict(_first(studio.tasks))
    studio.tasks[900], studio.made[900] = dict(copied), timezone.now().isoformat()
    assert look(project) == [], "it may be a publication's"
    studio.made[900] = (timezone.now() - timedelta(minutes=2)).isoformat()
    changes = len(studio.changes)
    assert [str(one) for one in look(project)] == ["task's data: a task that is none of ours"]
    assert len(studio.changes) == changes, "a look changes nothing"
    assert "none of ours" in settle(project)[0]
    assert studio.tasks[900]["state"] not in TaskState.values
    assert "counts nowhere" in studio.tasks[900]["review_comment"]
    assert studio.tasks[900]["annotated"] == copied["annotated"]
    [row] = StudioChange.objects.all()
    assert (row.case, bool(row.mended_at), "delete this one" in row.advice) == (None, True, True)
    assert settle(project) == []
    studio.tasks[900]["state"] = "pending"
    assert settle(project) != []


def test_tasks_that_somebody_deleted_are_named_until_they_are_back(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    first, second = LabelingTask.objects.order_by("slice_index")[:2]
    taken = {task.label_studio_id: studio.tasks.pop(task.label_studio_id) for task in (first, second)}
    [line] = settle(project)
    assert "2 task(s) of C0001" in line
    assert "publish_tasks --case C0001" in line
    [row] = StudioChange.objects.all()
    assert (row.slices, row.mended_at, "publish_tasks" in row.advice) == ([0, 1], None, True)
    assert settle(project, is_full=False) == [], "a round of changes lists no others"
    with pytest.raises(RejectedInput, match="publish_tasks"):
        shown_in_label_studio(project)
    studio.tasks |= taken
    assert settle(project) == []
    assert StudioChange.objects.get().mended_at is not None
    shown_in_label_studio(project)


def test_a_task_that_a_slice_had_before_is_not_foreign(studio: LabelStudioDouble, project: LabelingProject) -> None:
    task = LabelingTask.objects.order_by("slice_index")[0]
    old = task.label_studio_id
    task.former.create(project=project, label_studio_id=old)
    studio.tasks[901] = studio.tasks[old]
    studio.made = dict.fromkeys(studio.tasks, "2026-01-01T00:00:00Z")
    LabelingTask.objects.filter(pk=task.pk).update(label_studio_id=901)
    studio.predictions = {}
    assert foreign_tasks.differences(project, studio.rows().values()) == []


def test_a_prediction_where_we_gave_none_is_another_s(studio: LabelStudioDouble, project: LabelingProject) -> None:
    first, second = LabelingTask.objects.order_by("slice_index")[:2]
    LabelingTask.objects.filter(pk__in=[first.pk, second.pk]).update(shown=[], drawn_by=None)
    studio.predictions = {1: {"id": 1, "score": 0.9, **_prediction(first, "evil")}}
    LabelingTask.objects.exclude(pk__in=[first.pk, second.pk]).update(shown=[], drawn_by=None)
    [found] = look(project)
    assert (found.subject, found.task) == (Subject.PREDICTION, first)
    _save(first, identifier=6, moment=timezone.now())
    settle(project)
    assert studio.predictions[1]["result"] == []
    assert AnnotationFinding.objects.filter(kind=FindingKind.SHOWN).count() == 1
    assert settle(project) == []


def test_predictions_that_were_there_at_the_first_look_blame_nobody(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    LabelingTask.objects.update(shown=[], drawn_by=None)
    project.looked_at = project.looked_over_at = None
    project.save()
    assert settle(project) == []
    assert settle(project) == []
    task = LabelingTask.objects.order_by("slice_index")[0]
    show_predictions([task], [_prediction(task, "ours")])
    _first(studio.predictions)["result"] = [{"id": "evil"}]
    assert [one.subject for one in look(project)] == [Subject.PREDICTION]


def test_what_we_change_ourselves_is_no_change_of_anybody(studio: LabelStudioDouble, project: LabelingProject) -> None:
    task = LabelingTask.objects.first()
    assert task is not None
    LabelingTask.objects.filter(pk=task.pk).update(state="returned", review_comment="the upper end")
    mirror_states(task.case)
    show_predictions([task], [_prediction(task, "newer")])
    type(task.case).objects.filter(pk=task.case_id).update(tissue_type="fat")
    assert settle(project) == []
    shown = studio.tasks[task.label_studio_id]
    assert (shown["state"], shown["review_comment"], shown["tissue_type"]) == ("returned", "the upper end", "fat")
    assert not StudioChange.objects.exists()


def test_a_crash_between_telling_label_studio_and_writing_down_blames_nobody(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.labeling.studio import task_data

    task = LabelingTask.objects.select_related("case").first()
    assert task is not None

    def breaks_off(*args: Any, **options: Any) -> None:
        studio.call(*args, **options)
        raise KeyboardInterrupt

    LabelingTask.objects.filter(pk=task.pk).update(state="returned")
    with monkeypatch.context() as patched:
        patched.setattr(task_data, "call", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            mirror_states(task.case)
    assert studio.tasks[task.label_studio_id]["state"] == "returned"
    assert look(project) == []


def test_a_mirrored_state_carries_no_picture_that_somebody_put_there(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    task = LabelingTask.objects.select_related("case").first()
    assert task is not None
    right = studio.tasks[task.label_studio_id]["annotated"]
    studio.tasks[task.label_studio_id]["annotated"] = "http://127.0.0.1:8000/pictures/other.png"
    LabelingTask.objects.filter(pk=task.pk).update(state="returned")
    mirror_states(task.case)
    assert studio.tasks[task.label_studio_id]["annotated"] == right
    assert [row.subject for row in StudioChange.objects.all()] == [Subject.PICTURE]


def test_changes_are_shown_to_reviewers_until_one_has_seen_them(
    studio: LabelStudioDouble, project: LabelingProject, client: Client
) -> None:
    annotator = first_account(Role.ANNOTATOR)
    User.objects.filter(pk=annotator.pk).update(label_studio_id=4)
    ATTACKS["another slice's picture"][0](studio)
    ATTACKS["a second backend"][0](studio)
    settle(project)
    StudioChange.objects.filter(subject=Subject.PICTURE).update(changed_by=4)
    client.force_login(first_account(Role.RADIOLOGIST))
    page = client.get(page_at("finding-list")).content.decode()
    assert "another backend beside ours" in page
    assert f"Annotator {annotator.pk}" in page
    assert ELSEWHERE not in page
    row = StudioChange.objects.get(subject=Subject.BACKEND)
    assert client.post(page_at("change-seen", row.pk)).status_code == 302
    assert "another backend beside ours" not in client.get(page_at("finding-list")).content.decode()
    client.force_login(annotator)
    assert client.post(page_at("change-seen", row.pk)).status_code == 403


def test_an_installation_of_an_earlier_version_is_moved_without_a_word_and_what_differs_is_named(
    studio: LabelStudioDouble, project: LabelingProject, settings: Any
) -> None:
    former = f"{settings.MASKLOOP_URL}/ml"
    _first(studio.backends)["url"], _first(studio.webhooks)["url"] = former, f"{former}/webhook"
    fields = {"written": {}, "webhook_id": None, "looked_at": None, "looked_over_at": None}
    LabelingProject.objects.filter(pk=project.pk).update(**fields)
    LabelingTask.objects.update(written=[], shown=[], drawn_by=known_model())
    project.refresh_from_db()
    ATTACKS["another slice's picture"][0](studio)
    told = settle(project)
    assert [row.subject for row in StudioChange.objects.all()] == [Subject.PICTURE]
    assert len(told) == 1
    _is_connected_as_it_should_be(studio)
    assert not LabelingTask.objects.filter(drawn_by__isnull=False).exists(), "predictions of unknown origin go"
    assert settle(project) == []


def test_where_label_studio_does_not_take_the_interface_back_the_rest_is_mended_and_it_is_said(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.labeling.interface import editor

    def refuses(method: str, path: str, **options: Any) -> Any:
        if method == "PATCH":
            raise ProgramFault("label-studio-request", "Label Studio refused our request.", remedy="Report it.")
        return studio.call(method, path, **options)

    monkeypatch.setattr(editor, "call", refuses)
    ATTACKS["another interface"][0](studio)
    ATTACKS["a second webhook"][0](studio)
    told = " ".join(settle(project))
    assert "could not be mended" in told
    _is_connected_as_it_should_be(studio)
    mended = dict(StudioChange.objects.values_list("subject", "mended_at"))
    assert mended[Subject.INTERFACE] is None
    assert mended[Subject.WEBHOOK] is not None
    first, second = LabelingTask.objects.order_by("slice_index")[:2]
    _save(first, identifier=6, moment=timezone.now())
    settle(project)
    found = AnnotationFinding.objects.filter(kind=FindingKind.SHOWN)
    assert [one.annotation.task_id for one in found] == [first.pk], "it is shown still"
    StudioChange.objects.update(seen_at=timezone.now())  # a person has looked, and it is there still
    settle(project)
    monkeypatch.undo()
    studio.takes_the_place(monkeypatch)
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
    settle(project)
    assert not StudioChange.objects.filter(mended_at__isnull=True).exists()
    _save(second, identifier=7, moment=timezone.now() + timedelta(minutes=1))
    settle(project)
    assert found.count() == 1


def test_of_many_tasks_no_drawing_stays_in_memory(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_drawings(method: str, path: str, **options: Any) -> Any:
        answer = studio.call(method, path, **options)
        rows = answer["tasks"] if path == "/api/tasks/" else [answer] if path.startswith("/api/tasks/") else []
        for row in rows:
            row["annotations"] = [{"id": 5, "result": [{"value": {"rle": [7, 8, 9]}}]}]
        return answer

    answer_with(monkeypatch, with_drawings)
    kept = json.dumps(tasks.all_tasks(project))
    assert "rle" not in kept
    assert "annotations" not in kept
    assert look(project) == []
    ATTACKS["a prediction replaced"][0](studio)
    assert {one.subject for one in look(project)} == {Subject.PREDICTION}
    services.bring_up_to_date(project, LabelingTask.objects.select_related("case"), studio.rows())
    assert look(project) == []


def test_what_somebody_took_back_before_it_could_be_mended_is_open_no_more(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: Any, **_options: Any) -> Any:
        raise TryAgain("label-studio-down", "Label Studio does not answer.", remedy="Run it again.")

    before = dict(studio.project)
    ATTACKS["another interface"][0](studio)
    with monkeypatch.context() as patched:
        patched.setattr(services, "CHECKS", (replace(services.CHECKS[0], mend=fails),))
        with pytest.raises(TryAgain):
            settle(project)
    studio.project = before
    assert settle(project) == []
    assert StudioChange.objects.get().mended_at is not None


def test_a_task_at_which_label_studio_fails_costs_itself_and_is_tried_again(
    studio: LabelStudioDouble, project: LabelingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = list(studio.tasks)[:2]

    def fails(method: str, path: str, **options: Any) -> Any:
        if (method, path) == ("PATCH", f"/api/tasks/{broken}/"):
            raise TryAgain("label-studio-error", "Label Studio failed with status 500.", remedy="Run it again.")
        return studio.call(method, path, **options)

    good, looked = json.dumps(studio.tasks[sound], sort_keys=True), project.looked_at
    for number in (broken, sound):
        studio.tasks[number]["annotated"] = "http://127.0.0.1:8000/pictures/other.png"
    with monkeypatch.context() as patched:
        answer_with(patched, fails)
        told = settle(project, is_full=False)
        assert json.dumps(studio.tasks[sound], sort_keys=True) == good
        assert f"task {broken}" in told[-1]
        assert any("could not be mended" in line for line in told)
        assert project.looked_at == looked
        rows = studio.rows()
        with pytest.raises(TryAgain, match=f"task {broken}"):
            services.bring_up_to_date(project, LabelingTask.objects.select_related("case"), rows)
    settle(project, is_full=False)
    assert look(project) == []


def test_the_doctor_says_what_differs_before_it_is_mended(studio: LabelStudioDouble, project: LabelingProject) -> None:
    shown_in_label_studio(project)
    for name in ("another slice's picture", "a second webhook", "a prediction replaced"):
        ATTACKS[name][0](studio)
    with pytest.raises(RejectedInput) as told:
        shown_in_label_studio(project)
    for words in ("picture's address", "another webhook beside ours", "prediction"):
        assert words in told.value.message
    assert ELSEWHERE not in str(told.value)
    assert StudioChange.objects.count() == 3
    shown_in_label_studio(project)


def test_a_changed_project_is_looked_at_soon_and_what_the_webhook_says_of_it_is_not_believed(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    jobs = DBTaskResult.objects.filter(task_path=look_over_project.module_path)
    for _ in range(3):
        body = {"action": "PROJECT_UPDATED", "project": {"id": 1, "label_config": "<View/>"}}
        assert receive(body) == "queued"
    assert jobs.count() == 1
    assert look_over_project.call(project=project.pk) == []
    ATTACKS["another interface"][0](studio)
    assert len(look_over_project.call(project=project.pk)) == 1
    assert look(project) == []
