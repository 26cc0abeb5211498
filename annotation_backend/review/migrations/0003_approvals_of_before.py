"""Verdicts are bound to what they were given on; where that cannot be proved, an approval ends and asks for a look.

Proved is: the mask was made of the saves that count now, on the registration that there is now, and the pictures show
that registration. Then the page shows today what it showed when the verdict was given.

The record is as `review.seen` made it when this was written; it is written out here, so that later changes there leave
an upgrade from an old version as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import migrations

NOT_CONFIRMED = ("superseded", "otherwise", "unknown")


def bind_verdicts(apps: Any, _schema_editor: Any) -> None:
    """Binds the newest verdict of each case, or ends it where it approves and nothing proves what it was given on."""
    review_rows = apps.get_model("review", "Review").objects.select_related("mask__case__registration").order_by("pk")
    newest = {review.mask.case_id: review for review in review_rows}
    for review in newest.values():
        case, saves = review.mask.case, _counting_saves(apps, review.mask.case_id)
        if _is_proved(review.mask, case, saves):
            review.seen = _seen_record(case, review.mask, saves)
            review.seen_sha256 = _digest(review.seen)
            review.save(update_fields=["seen", "seen_sha256"])
        elif review.verdict == "approve":
            apps.get_model("review", "VerdictEnd").objects.create(review=review, reason="unproven")
            tasks = apps.get_model("labeling", "LabelingTask").objects.filter(case=case, state="approved")
            tasks.filter(slice_index__in=saves).update(state="annotated")
            tasks.update(state="pending")


def _seen_record(case: Any, mask: Any, saves: Mapping[int, Any]) -> dict[str, Any]:
    pictures = sorted(case.slices.values_list("role", "index", "sha256"))
    return {
        "registration": case.registration.record_sha256,
        "images": dict(case.registration.record["outputs"]),
        "pictured": case.pictured_sha256,
        "pictures": _digest([list(picture) for picture in pictures]),
        "sequence": "t1" if case.tissue_type == "fat" else "t2",
        "mask": mask.sha256,
        "mask_inputs": mask.inputs_sha256,
        "saves": [
            [index, save.label_studio_id, save.content_sha256, save.completed_by, save.updated_by]
            for index, save in sorted(saves.items())
        ],
    }


def _digest(value: Any) -> str:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _is_proved(mask: Any, case: Any, saves: Mapping[int, Any]) -> bool:
    registration = getattr(case, "registration", None)
    if registration is None or case.pictured_sha256 != registration.record_sha256:
        return False
    made_of = {
        "registration": registration.record_sha256,
        "saves": sorted(save.content_sha256 for save in saves.values()),
        "annotations": sorted(save.label_studio_id for save in saves.values()),
    }
    held = set(mask.annotations.values_list("pk", flat=True))
    same = held == {save.pk for save in saves.values()}
    return same and mask.inputs_sha256 == _digest(made_of)


def _counting_saves(apps: Any, case: int) -> dict[int, Any]:
    """The confirmed save that counts for each slice, as `AnnotationQuerySet.counting` knew it then."""
    marks = apps.get_model("labeling", "AnnotationDeletion").objects.values_list("project", "label_studio_id")
    deleted = set(marks)
    rows = apps.get_model("labeling", "Annotation").objects.filter(task__case=case)
    rows = rows.select_related("task").defer("raw").order_by("saved_at", "pk")
    asked = dict(
        apps.get_model("labeling", "Confirmation")
        .objects.filter(annotation__task__case=case)
        .values_list("annotation", "outcome")
    )
    newest: dict[tuple[int, int, int], Any] = {}
    for row in rows:
        outcome = asked.get(row.pk)
        if outcome not in NOT_CONFIRMED and (row.received_by != "webhook" or outcome is not None):
            newest[row.task_id, row.project_id, row.label_studio_id] = row
    counting = [row for row in newest.values() if not row.was_cancelled]
    counting = [row for row in counting if (row.project_id, row.label_studio_id) not in deleted]
    return {row.task.slice_index: row for row in sorted(counting, key=lambda row: (row.saved_at, row.pk))}


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0002_approvals_bound"),
        ("cases", "0002_cohort"),
        ("labeling", "0004_confirmed_and_proved"),
    ]

    operations = [migrations.RunPython(bind_verdicts, migrations.RunPython.noop)]
