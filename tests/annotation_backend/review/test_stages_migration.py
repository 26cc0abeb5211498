"""Cases of an installation from before there were stages stand where their masks and verdicts say."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.accounts.models import Role
from annotation_backend.labeling.models import TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.models import Verdict
from annotation_backend.stages.models import CaseStage, Transition
from datasets.errors import RejectedInput
from tests.annotation_backend.support.records import accounts, approve, published, registered_case, saved

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def _migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("review", name)])


def test_each_case_gets_the_stages_that_its_masks_and_verdicts_tell() -> None:
    people = accounts()
    published(registered_case("C0001"), first_task=100)
    masks = {}
    for number in (2, 3, 4):
        task = published(registered_case(f"C000{number}"), first_task=number * 100)[2]
        saved(task, identifier=number)
        masks[number] = assemble(task.case)
    approved = approve(masks[3], people[Role.RADIOLOGIST])
    approve(masks[4], people[Role.RADIOLOGIST], verdict=Verdict.RETURN, comment="x")
    registered_case("C0005")
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        _migrate("0005_stages")
        Transition.objects.all().delete()
        type(approved).objects.update(row=None)
        CaseStage.objects.all().delete()
    finally:
        MigrationExecutor(connection).migrate(newest)
    found = {(row.case.code, row.stage): row.state for row in CaseStage.objects.select_related("case")}
    assert found == {
        ("C0001", "annotate"): "open",
        ("C0002", "annotate"): "open",
        ("C0002", "review"): "open",
        ("C0003", "annotate"): "done",
        ("C0003", "review"): "done",
        ("C0004", "annotate"): "open",
        ("C0004", "review"): "returned",
    }
    assert approved_reviews() == [approved]
    with pytest.raises(RejectedInput, match="already"):
        approve(masks[4], people[Role.RADIOLOGIST])
    task = masks[4].case.labeling_tasks.get(slice_index=1)
    saved(task, identifier=44, updated_at="2036-11-21T10:00:00Z")
    approve(assemble(task.case), people[Role.RADIOLOGIST])
    assert {review.mask.case.code for review in approved_reviews()} == {"C0003", "C0004"}
    task.refresh_from_db()
    assert task.state == TaskState.APPROVED
