"""Saves from before versions were numbered keep all they had, and what counted still counts."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import Annotation, AnnotationDeletion, AnnotationFinding, DeletionAsked
from annotation_backend.labeling.versions.assembly import assemble, current_saves
from annotation_backend.labeling.versions.doubts import note_doubts
from tests.annotation_backend.support.records import accounts, published, registered_case, save_body

pytestmark = pytest.mark.django_db(transaction=True)


def _migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("labeling", name)])
    return MigrationExecutor(connection).loader.project_state([("labeling", name)]).apps


@pytest.mark.slow
def test_saves_of_before_are_numbered_placed_and_still_count() -> None:
    accounts()
    tasks = published(registered_case())
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        models = _migrate("0001_initial")
        rows = models.get_model("labeling", "Annotation").objects
        for number, (task, identifier, hour) in enumerate([(0, 7, 10), (0, 7, 11), (1, 8, 10), (2, 9, 10)]):
            rows.create(
                task_id=tasks[task].pk,
                label_studio_id=identifier,
                raw=save_body(tasks[task], identifier=identifier, completed_by={"id": 4}, updated_by={"id": 4}),
                content_sha256=f"{number:064}",
                saved_at=f"2026-11-21T{hour}:00:00Z",
                received_by="webhook" if number else "pull",
            )
        models.get_model("labeling", "AnnotationDeletion").objects.create(label_studio_id=8)
    finally:
        MigrationExecutor(connection).migrate(newest)  # also what other apps built on labelling's later migrations
    found = Annotation.objects.order_by("pk").values_list("number", "completed_by", "updated_by", "label_studio_task")
    assert list(found) == [(1, 4, 4, 101), (2, 4, 4, 101), (1, 4, 4, 102), (1, 4, 4, 103)]
    assert DeletionAsked.objects.get().project == tasks[0].project, "a webhook's word is a question now"
    current = current_saves(tasks[0].case)
    assert [save and save.content_sha256[-1] for save in current.values()] == ["1", "2", "3", None, None]
    mask = assemble(tasks[0].case)
    assert mask is not None
    assert mask.annotated_slices == [0, 1, 2]


@pytest.mark.slow
def test_marks_that_label_studio_confirmed_become_those_of_an_annotation_in_its_task() -> None:
    accounts()
    tasks = published(registered_case())
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        models = _migrate("0003_project_settings").get_model
        for task, outcome, by in (
            (0, None, 4),
            (1, "superseded", 4),
            (2, "otherwise", 99),
            (3, "unknown", 99),
            (4, None, 0),
        ):
            row = models("labeling", "Annotation").objects.create(
                task_id=tasks[task].pk,
                project_id=tasks[task].project_id,
                label_studio_id=7 if task < 2 else 7 + task,
                label_studio_task=tasks[task].label_studio_id,
                number=1,
                raw=save_body(tasks[task]),
                content_sha256=f"{task:064}",
                completed_by=4,
                updated_by=by,
                saved_at="2026-11-21T10:00:00Z",
                received_by="webhook" if outcome else "pull",
            )
            if outcome:
                models("labeling", "Confirmation").objects.create(annotation_id=row.pk, outcome=outcome)
            if outcome in ("otherwise", "unknown"):
                models("labeling", "AnnotationFinding").objects.create(annotation_id=row.pk, kind="unconfirmed")
        for number, is_confirmed in ((7, True), (9, False), (500, True)):
            models("labeling", "AnnotationDeletion").objects.create(
                project_id=tasks[0].project_id, label_studio_id=number, is_confirmed=is_confirmed
            )
    finally:
        MigrationExecutor(connection).migrate(newest)
    marks = AnnotationDeletion.objects.values_list("task", "label_studio_task", "label_studio_id")
    assert set(marks) == {(tasks[0].pk, 101, 7), (tasks[1].pk, 102, 7)}
    assert DeletionAsked.objects.values_list("label_studio_id", flat=True).get() == 9
    assert AnnotationFinding.objects.values_list("numbers", flat=True).get() == {"count": 2}
    assert not any(current_saves(tasks[0].case).values()), "one is deleted, three are evidence, one was imported"
    assert note_doubts(tasks[0].case) == 2
    kinds = AnnotationFinding.objects.order_by("kind").values_list("kind", "numbers__count")
    assert list(kinds) == [("author", 1), ("unconfirmed", 3)]


@pytest.mark.slow
def test_a_number_that_was_forgotten_is_recalled_from_what_was_saved_under_it() -> None:
    people = accounts()
    tasks = published(registered_case())
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        rows = _migrate("0003_project_settings").get_model("labeling", "Annotation").objects
        for task, (role, number) in enumerate([(Role.ANNOTATOR, 4), (Role.RADIOLOGIST, 3), (Role.RADIOLOGIST, 33)]):
            rows.create(
                task_id=tasks[task].pk,
                project_id=tasks[task].project_id,
                label_studio_id=7 + task,
                label_studio_task=tasks[task].label_studio_id,
                number=1,
                raw=save_body(tasks[task]),
                content_sha256=f"{task:064}",
                author_id=people[role].pk,
                completed_by=number,
                updated_by=number,
                saved_at="2026-11-21T10:00:00Z",
                received_by="pull",
            )
        drew = [people[role].pk for role in (Role.ANNOTATOR, Role.RADIOLOGIST)]
        User.objects.filter(pk__in=drew).update(label_studio_id=None)
    finally:
        MigrationExecutor(connection).migrate(newest)
    numbers = dict(User.objects.values_list("pk", "label_studio_id"))
    assert [numbers[person] for person in drew] == [4, None], "two numbers are no answer"
    assert [save is not None for save in current_saves(tasks[0].case).values()][:3] == [True, False, False]
