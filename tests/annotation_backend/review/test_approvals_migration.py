"""Approvals from before they were bound: kept where their content is proved, named for another look elsewhere."""

import ast
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case, Exclusion, Registration, RegistrationVerdict
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask, Restoration, TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.models import EndReason, Verdict, VerdictEnd
from annotation_backend.review.services import decide
from datasets.study.case import QualityScore
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, published, registered_case, saved

pytestmark = pytest.mark.django_db(transaction=True)

PROVED, REGISTERED_AGAIN, DRAWN_ON, OTHER_PICTURES, RETURNED = "C0001", "C0002", "C0003", "C0004", "C0005"


def _migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("review", name)])
    return MigrationExecutor(connection).loader.project_state([("review", name)]).apps


def _approve_as_before(code: str, reviewer: int, rows: Any) -> None:
    mask = CaseMask.objects.get(case__code=code)
    verdict = "return" if code == RETURNED else "approve"
    rows.create(mask_id=mask.pk, reviewer_id=reviewer, verdict=verdict, quality_score="excellent", comment="x")
    state = TaskState.RETURNED if code == RETURNED else TaskState.APPROVED
    LabelingTask.objects.filter(case__code=code).exclude(state=TaskState.PENDING).update(state=state)


def _drawn_case(code: str, number: int) -> None:
    task = published(registered_case(code), first_task=number * 100)[2]
    saved(task, identifier=number)
    assemble(task.case)


@pytest.mark.slow
def test_approvals_of_before_are_bound_to_what_they_saw_or_end_and_ask_for_a_look(client: Client) -> None:
    people = accounts()
    radiologist = people[Role.RADIOLOGIST]
    for number, code in enumerate((PROVED, REGISTERED_AGAIN, DRAWN_ON, OTHER_PICTURES, RETURNED), start=1):
        _drawn_case(code, number)
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        rows = _migrate("0001_initial").get_model("review", "Review").objects
        for code in (PROVED, REGISTERED_AGAIN, DRAWN_ON, OTHER_PICTURES, RETURNED):
            _approve_as_before(code, radiologist.pk, rows)
        Registration.objects.filter(case__code=REGISTERED_AGAIN).update(record_sha256="f" * 64)
        Case.objects.filter(code=REGISTERED_AGAIN).update(images_sha256="f" * 64, pictured_sha256="f" * 64)
        Case.objects.filter(code=OTHER_PICTURES).update(pictured_sha256="e" * 64)
    finally:
        _drawn_on_after_the_verdict()
        MigrationExecutor(connection).migrate(newest)
    assert [review.mask.case.code for review in approved_reviews()] == [PROVED]
    ended = VerdictEnd.objects.order_by("pk").values_list("review__mask__case__code", "reason")
    assert list(ended) == [(code, EndReason.UNPROVEN) for code in (REGISTERED_AGAIN, DRAWN_ON, OTHER_PICTURES)]
    states = LabelingTask.objects.filter(slice_index=2).order_by("case__code").values_list("state", flat=True)
    assert list(states) == ["approved", "annotated", "annotated", "annotated", "returned"]
    client.force_login(radiologist)
    page = client.get(page_at("review-queue")).content.decode()
    assert page.count("bound to what was looked at; look again") == 3
    anew = assemble(Case.objects.get(code=DRAWN_ON))
    assert anew is not None
    words = {"quality_score": QualityScore.EXCELLENT, "accepts_unannotated": True}
    decide(anew, radiologist, verdict=Verdict.APPROVE, **words)  # type: ignore[arg-type]
    assert [review.mask.case.code for review in approved_reviews()] == [PROVED, DRAWN_ON]


@pytest.mark.parametrize("path", sorted(Path("annotation_backend").glob("*/migrations/0*.py")), ids=str)
def test_a_migration_reads_no_code_that_changes_after_it(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    froms = [node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)]
    imported = [*froms, *(name.name for node in nodes if isinstance(node, ast.Import) for name in node.names)]
    ours = ("annotation_backend", "datasets", "curation", "training", ".")
    assert not [name for name in imported if name.split(".")[0] in ours or name == "."]


def _drawn_on_after_the_verdict() -> None:
    """A save that no mask was made of when the installation was upgraded; written as that version wrote it."""
    before = Annotation.objects.get(task__case__code=DRAWN_ON)
    [values] = Annotation.objects.filter(pk=before.pk).values()
    later = {"number": 2, "content_sha256": "a" * 64, "saved_at": "2026-11-21T12:00:00Z"}
    Annotation.objects.bulk_create([Annotation(**{**values, **later, "id": None})])


def _nobody_known(task: LabelingTask, _reviewer: User) -> None:
    QuerySet(Annotation).filter(task=task).update(completed_by=0, updated_by=0)


def _imported(task: LabelingTask, _reviewer: User) -> None:
    QuerySet(Annotation).filter(task=task).update(updated_by=0)


def _own_drawing(task: LabelingTask, reviewer: User) -> None:
    QuerySet(Annotation).filter(task=task).update(updated_by=reviewer.label_studio_id)


def _restored_by_the_reviewer(task: LabelingTask, reviewer: User) -> None:
    save = Annotation.objects.get(task=task)
    Restoration.objects.create(source=save, result=save, person=reviewer)


def _excluded(task: LabelingTask, _reviewer: User) -> None:
    Exclusion.objects.create(case=task.case, reason="consent withdrawn")


def _excluded_and_taken_back(task: LabelingTask, _reviewer: User) -> None:
    exclusion = Exclusion.objects.create(case=task.case, reason="consent withdrawn")
    Exclusion.objects.filter(pk=exclusion.pk).update(ended=timezone.now() + timedelta(hours=1))


def _rejected(task: LabelingTask, reviewer: User) -> None:
    words = {"record_sha256": task.case.images_sha256, "verdict": "reject", "person": reviewer}
    RegistrationVerdict.objects.create(case=task.case, **words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    [
        *(_nobody_known, _imported, _own_drawing, _restored_by_the_reviewer),
        *(_excluded, _excluded_and_taken_back, _rejected),
    ],
)
def test_an_approval_that_would_be_refused_today_is_named_for_another_look(
    before: Callable[[LabelingTask, User], None],
) -> None:
    radiologist = accounts()[Role.RADIOLOGIST]
    _drawn_case(PROVED, 1)
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        rows = _migrate("0001_initial").get_model("review", "Review").objects
        before(LabelingTask.objects.get(case__code=PROVED, slice_index=2), radiologist)
        _approve_as_before(PROVED, radiologist.pk, rows)
    finally:
        MigrationExecutor(connection).migrate(newest)
    assert [end.reason for end in VerdictEnd.objects.all()] == [EndReason.UNPROVEN]
    assert not approved_reviews()
    assert LabelingTask.objects.get(case__code=PROVED, slice_index=2).state == TaskState.ANNOTATED
