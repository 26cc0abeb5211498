"""Snapshots: the approved masks of a study, frozen."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from annotation_backend.learning.models import Snapshot
from annotation_backend.review.approvals import approved_reviews, lock_approvals, why_unapproved
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_json


def snapshot_content(study: Study) -> dict[str, Any]:
    """A study's approved masks as they would be frozen now.

    Raises:
        RejectedInput: No mask is approved.
    """
    reviews = approved_reviews(study=study)
    if not reviews:
        raise RejectedInput(
            "nothing-approved",
            "No mask is approved, and models learn from approved masks only.",
            remedy="Have a radiologist approve a case on the review page.",
        )
    return {"cases": [_entry(review) for review in reviews]}


def take_snapshot(study: Study) -> Snapshot:
    """Freezes the list of a study's approved masks; the same masks give the same snapshot.

    Raises:
        RejectedInput: No mask is approved.
    """
    content = snapshot_content(study)
    digest = sha256_of_bytes(canonical_json(content))
    with transaction.atomic():
        require_approved(content)
        snapshot, is_new = Snapshot.objects.get_or_create(study=study, digest=digest, defaults={"content": content})
    if is_new:
        write_json(settings.DATA_FOLDER / "snapshots" / f"{digest}.json", content)
    return snapshot


def require_approved(content: Mapping[str, Any]) -> None:
    """Refuses a snapshot unless all its approvals still hold; locks them until the transaction ends."""
    entries = {entry["case"]: entry for entry in content["cases"]}
    lock_approvals(list(entries))
    now = {review.mask.case.code: _entry(review) for review in approved_reviews(list(entries))}
    left = [code for code, entry in entries.items() if now.get(code) != entry]
    if left:
        reasons = "; ".join(f"{code}: {why_unapproved(code)}" for code in left)
        raise RejectedInput(
            "snapshot-left",
            f"Approvals ended while the model was trained on them: {reasons}.",
            remedy="No model was registered. Train again on the masks that are approved now.",
        )


def _entry(review: Review) -> dict[str, Any]:
    """A case of a snapshot: mask and images by digest, without people and times."""
    mask, case = review.mask, review.mask.case
    return {
        "case": case.code,
        "patient": case.patient.code,
        "tissue_type": case.tissue_type,
        "mask": mask.pk,
        "mask_sha256": mask.sha256,
        "registration_sha256": case.images_sha256,
        "quality_score": review.quality_score,
    }
