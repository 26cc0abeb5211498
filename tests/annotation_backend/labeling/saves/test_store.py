"""Saves become immutable Annotations once, however often and by webhook or reconciliation they come."""

import numpy as np
import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case
from annotation_backend.labeling.masks.brush import encode_alpha
from annotation_backend.labeling.models import Annotation, CaseMask, DeletionAsked, LabelingTask, ReceivedBy, TaskState
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import mark_deleted, receive, store
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.studies.people import role_in
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from tests.annotation_backend.support.records import (
    accounts,
    drawn,
    published,
    registered_case,
    save_body,
    saved,
    the_study,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def task() -> LabelingTask:
    accounts()
    return published(registered_case())[2]


def _webhook(body: dict[str, object], action: str = "ANNOTATION_CREATED") -> str:
    return receive({"action": action, "annotation": body})


def test_a_webhook_stores_and_changes_nothing_until_label_studio_confirms(task: LabelingTask) -> None:
    assert _webhook(save_body(task)) == "stored"
    annotation = Annotation.objects.get()
    task.refresh_from_db()
    assert Annotation.objects.current(task) is None
    assert task.state == TaskState.PENDING
    saved(task)
    task.refresh_from_db()
    assert Annotation.objects.current(task) == annotation
    assert annotation.author is not None
    assert role_in(the_study(), annotation.author) is Role.ANNOTATOR
    assert annotation.raw["result"][0]["value"]["rle"]
    assert task.state == TaskState.ANNOTATED


def test_the_same_save_by_webhook_twice_and_by_pull_is_one_row(task: LabelingTask) -> None:
    _webhook(save_body(task))
    assert _webhook(save_body(task), "ANNOTATION_UPDATED") == "known"
    pulled = save_body(task, completed_by={"id": 4, "email": "x"}, extra="field that only the poll has")
    _, is_new = store(read_save(pulled), received_by=ReceivedBy.PULL)
    assert not is_new
    assert Annotation.objects.count() == 1


def test_an_edit_is_a_new_row_and_the_newest_counts_even_out_of_order(task: LabelingTask) -> None:
    saved(task, updated_at="2026-11-21T11:00:00Z", result=[])
    saved(task)
    current = Annotation.objects.current(task)
    assert Annotation.objects.count() == 2
    assert current is not None
    assert current.raw["result"] == []


def test_a_stored_save_cannot_be_changed(task: LabelingTask) -> None:
    _webhook(save_body(task))
    annotation = Annotation.objects.get()
    annotation.raw = {}
    with pytest.raises(TypeError, match="never changes"):
        annotation.save()


def test_a_deletion_is_a_question_first_and_a_mark_that_opens_the_task_again_then(task: LabelingTask) -> None:
    saved(task)
    assert receive({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": {"id": 1}}) == "asked"
    assert Annotation.objects.current(task) is not None
    assert DeletionAsked.objects.count() == 1
    mark_deleted(Annotation.objects.all())
    task.refresh_from_db()
    assert Annotation.objects.count() == 1
    assert Annotation.objects.current(task) is None
    assert task.state == TaskState.PENDING


def test_a_skip_does_not_count_as_drawn(task: LabelingTask) -> None:
    saved(task, was_cancelled=True)
    assert Annotation.objects.current(task) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "7"}, "save-malformed"),
        ({"id": -1}, "save-malformed"),
        ({"id": 2**63}, "save-malformed"),
        ({"task": None}, "save-malformed"),
        ({"task": 999}, "task-unknown"),
        ({"updated_at": "yesterday"}, "save-malformed"),
        ({"updated_at": "2026-13-45T10:00:00Z"}, "save-malformed"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "save-malformed"),
        ({"updated_at": "9999-12-31T23:59:59-14:00"}, "save-malformed"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "save-malformed"),
        ({"project": None}, "save-malformed"),
        ({"result": None}, "save-malformed"),
        ({"result": ["x"]}, "save-malformed"),
        ({"updated_at": "2026-11-21T25:00:00Z"}, "save-malformed"),
        ({"result": [{"x": float("nan")}]}, "save-malformed"),
    ],
)
def test_a_malformed_save_is_refused_and_nothing_is_stored(
    task: LabelingTask, change: dict[str, object], code: str
) -> None:
    with pytest.raises(RejectedInput, match=code):
        _webhook(save_body(task, **change))
    assert Annotation.objects.count() == 0


def test_other_actions_are_ignored(task: LabelingTask) -> None:
    assert receive({"action": "PROJECT_UPDATED", "project": {}}) == "ignored"


def test_saves_become_one_mask_on_the_cases_grid(task: LabelingTask) -> None:
    saved(task)
    case: Case = task.case
    record = assemble(case)
    assert record is not None
    mask = read_mask(record.path)
    assert mask.foreground.sum() == drawn().sum()
    assert mask.foreground[:, :, 2].sum() == drawn().sum()
    assert record.annotated_slices == [2]
    assert record.unannotated_slices == [0, 1, 3, 4]
    assert assemble(case) == record
    assert CaseMask.objects.count() == 1


def test_everyone_who_made_or_changed_any_version_drew_in_the_mask(task: LabelingTask) -> None:
    saved(task, completed_by=3, updated_by={"id": 4})
    saved(task, completed_by=3, updated_by=2, updated_at="2026-11-21T11:00:00Z")
    _webhook(save_body(task, completed_by=1, updated_by=99, updated_at="2026-11-21T10:30:00Z"))
    record = assemble(task.case)
    assert record is not None
    assert record.annotators() == {2, 3, 4}, "what only a webhook says names nobody"


def test_a_save_of_another_project_with_the_same_task_number_is_not_ours(task: LabelingTask) -> None:
    with pytest.raises(RejectedInput, match="task-unknown"):
        _webhook(save_body(task, project=2))
    task.project.is_retired = True
    task.project.save()
    with pytest.raises(RejectedInput, match="task-unknown"):
        _webhook(save_body(task))


@pytest.mark.parametrize("alpha", [1, 100])
def test_a_save_that_a_script_wrote_faintly_is_in_the_mask(task: LabelingTask, alpha: int) -> None:
    [region] = save_body(task)["result"]
    region["value"]["rle"] = encode_alpha(drawn().astype(np.uint8) * np.uint8(alpha))
    saved(task, result=[region])
    record = assemble(task.case)
    assert record is not None
    assert record.findings == []
    assert read_mask(record.path).foreground.sum() == drawn().sum()


def test_a_save_of_several_faint_alphas_is_a_finding_of_the_mask(task: LabelingTask) -> None:
    [region] = save_body(task)["result"]
    alpha = drawn().astype(np.uint8) * np.uint8(60)
    alpha[5] //= 2
    region["value"]["rle"] = encode_alpha(alpha)
    saved(task, result=[region])
    record = assemble(task.case)
    assert record is not None
    assert [finding["code"] for finding in record.findings] == ["brush-code"]
    assert "draw them again or delete them" in record.findings[0]["remedy"]


@pytest.mark.parametrize(
    "value",
    [
        {"brushlabels": None, "rle": [1]},
        {"brushlabels": ["Tumour"], "rle": 7},
        {"brushlabels": ["Tumour"], "rle": "abc"},
        {"brushlabels": ["Tumour"], "rle": [0, 0, 7, 128, *[255] * 60]},
    ],
)
def test_a_malformed_region_is_a_finding_and_does_not_stop_the_mask(
    task: LabelingTask, value: dict[str, object]
) -> None:
    sound = save_body(task)["result"]
    saved(task, result=[{"type": "brushlabels", "value": value}, *sound])
    record = assemble(task.case)
    assert record is not None
    assert [finding["code"] for finding in record.findings] == ["brush-code"]
    assert read_mask(record.path).foreground.sum() == drawn().sum()
