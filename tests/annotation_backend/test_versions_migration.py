"""Saves from before versions were numbered keep all they had, and what counted still counts."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.labeling.assembly import assemble, current_saves
from annotation_backend.labeling.models import Annotation, AnnotationDeletion
from tests.annotation_backend.records import accounts, published, registered_case, save_body

pytestmark = pytest.mark.django_db(transaction=True)


def _migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("labeling", name)])
    return MigrationExecutor(connection).loader.project_state([("labeling", name)]).apps


def test_saves_of_before_are_numbered_placed_and_still_count() -> None:
    accounts()
    tasks = published(registered_case())
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        rows = _migrate("0001_initial").get_model("labeling", "Annotation").objects
        for number, (task, identifier, hour) in enumerate([(0, 7, 10), (0, 7, 11), (1, 8, 10), (2, 9, 10)]):
            rows.create(
                task_id=tasks[task].pk,
                label_studio_id=identifier,
                raw=save_body(tasks[task], identifier=identifier, completed_by={"id": 4}, updated_by="?"),
                content_sha256=f"{number:064}",
                saved_at=f"2026-11-21T{hour}:00:00Z",
                received_by="webhook" if number else "pull",
            )
        rows.model._meta.apps.get_model("labeling", "AnnotationDeletion").objects.create(label_studio_id=8)
    finally:
        MigrationExecutor(connection).migrate(newest)  # also what other apps built on labelling's later migrations
    found = Annotation.objects.order_by("pk").values_list("number", "completed_by", "updated_by", "label_studio_task")
    assert list(found) == [(1, 4, 0, 101), (2, 4, 0, 101), (1, 4, 0, 102), (1, 4, 0, 103)]
    assert AnnotationDeletion.objects.get().project == tasks[0].project
    current = current_saves(tasks[0].case, confirmed_only=True)
    assert [save and save.content_sha256[-1] for save in current.values()] == ["1", None, "3", None, None]
    mask = assemble(tasks[0].case, confirmed_only=True)
    assert mask is not None
    assert mask.annotated_slices == [0, 2]
