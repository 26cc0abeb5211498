"""Verdicts are bound to what they were given on; where that cannot be proved, an approval ends and asks for a look.

Proved is: the mask was made of the saves that count now, on the registration that there is now, and the pictures show
that registration. Then the page shows today what it showed when the verdict was given. An approval that the rules of
today would have refused proves nothing: of what nobody known drew, by who drew or restored it, or of a case that was
excluded or whose registration was rejected then.

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
    review_rows = apps.get_model("review", "Review").objects.select_related("mask__case").order_by("pk")
    newest = {review.mask.case_id: review for review in review_rows}
    for review in newest.values():
        case, saves = review.mask.case, _counting_saves(apps, review.mask.case_id)
        refused = review.verdict == "approve" and _would_be_refused(apps, review, case, saves)
        if _is_proved(review.mask, case, saves) and not refused:
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
        "registration": _registered(case),
        "images": _images(case),
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


def _registered(case: Any) -> str:
    """Digest of the registration, of which every case had one row; it may have one an image by the time this runs."""
    if hasattr(case, "images_sha256"):
        return str(case.images_sha256)
    return case.registration.record_sha256 if hasattr(case, "registration") else ""


def _images(case: Any) -> dict[str, str]:
    if hasattr(case, "images_sha256"):
        return dict(case.images.values_list("role", "sha256"))
    return dict(case.registration.record["outputs"])


def _digest(value: Any) -> str:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _is_proved(mask: Any, case: Any, saves: Mapping[int, Any]) -> bool:
    if not _registered(case) or case.pictured_sha256 != _registered(case):
        return False
    made_of = {
        "registration": _registered(case),
        "saves": sorted(save.content_sha256 for save in saves.values()),
        "annotations": sorted(save.label_studio_id for save in saves.values()),
    }
    held = set(mask.annotations.values_list("pk", flat=True))
    same = held == {save.pk for save in saves.values()}
    return same and mask.inputs_sha256 == _digest(made_of)


def _would_be_refused(apps: Any, review: Any, case: Any, saves: Mapping[int, Any]) -> bool:
    return _drew(apps, review, saves) or _was_closed(apps, review, case)


def _drew(apps: Any, review: Any, saves: Mapping[int, Any]) -> bool:
    """Whether somebody unknown, or the reviewer, drew or restored one of the annotations that count."""
    people = apps.get_model("accounts", "User").objects.filter(label_studio_id__isnull=False)
    known = set(people.values_list("label_studio_id", flat=True)) - {review.reviewer.label_studio_id}
    rows = apps.get_model("labeling", "Annotation").objects.exclude(confirmation__outcome__in=NOT_CONFIRMED)
    for save in saves.values():
        versions = rows.filter(project=save.project_id, label_studio_id=save.label_studio_id, task=save.task_id)
        for made, changed in versions.values_list("completed_by", "updated_by"):
            if changed not in known or (made and made not in known):
                return True
    restored = apps.get_model("labeling", "Restoration").objects.filter(person=review.reviewer_id)
    return bool(restored.filter(result__in=[save.pk for save in saves.values()]).exists())


def _was_closed(apps: Any, review: Any, case: Any) -> bool:
    """Whether the case was excluded or its registration rejected when the verdict was given, or is so now."""
    for exclusion in apps.get_model("cases", "Exclusion").objects.filter(case=case, created__lte=review.created):
        if exclusion.ended is None or exclusion.ended >= review.created:
            return True
    said = apps.get_model("cases", "RegistrationVerdict").objects.filter(
        case=case, record_sha256=_registered(case), created__lte=review.created
    )
    last = said.order_by("pk").last()
    return last is not None and last.verdict == "reject"


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
