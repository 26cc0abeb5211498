"""Ends of verdicts: a change to anything that the radiologist looked at ends the verdict, in the same transaction."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.versions.standing import Standing
from annotation_backend.review.models import EndReason, Review, Verdict, VerdictEnd, latest_review
from annotation_backend.review.seen import Seen, seen_now
from annotation_backend.stages.assigning import ask_again
from annotation_backend.stages.flow import reopen
from annotation_backend.stages.models import CaseStage

logger = logging.getLogger(__name__)

_REASONS = {
    "registration": EndReason.REGISTRATION,
    "images": EndReason.REGISTRATION,
    "pictured": EndReason.PICTURES,
    "pictures": EndReason.PICTURES,
    "sequence": EndReason.SEQUENCE,
}
"""Reason for each part of the record that changed; the first of them counts, and any other change is one of saves."""


def end_what_changed(case: Case) -> VerdictEnd | None:
    """Ends the case's newest verdict if its record has changed, or if its radiologist turns out to be an annotator.

    The tasks of an ended approval go back to the annotators' tabs as annotated, or to be annotated.

    Returns:
        The end, where there is one now and was none before.
    """
    review = latest_review(case)
    if review is None or review.ending is not None or not review.seen_sha256:
        return None
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        review, now = latest_review(case), seen_now(case)  # another verdict may have come while this one waited
        reason = _why_it_ends(review, now) if review and review.seen_sha256 else None
        if review is None or reason is None:
            return None
        end, is_new = VerdictEnd.objects.get_or_create(review=review, defaults={"reason": reason})
        if is_new and review.verdict == Verdict.APPROVE:
            reopen_tasks(case, now.standing)
            reopen(case, why=f"the approval ended: {end.get_reason_display()}")
        if is_new and review.row is not None and review.row.is_open:
            _ask_again(review.row, now)
    logger.info("%s", end)
    return end if is_new else None


def end_by_erratum(case: Case, *, why: str) -> VerdictEnd | None:
    """Ends the approval of a case that a reader of a release found to be wrong; its last stage is opened again.

    Must run in a transaction that holds the case's lock.

    Args:
        case: The case.
        why: Which erratum, for the case's story.

    Returns:
        The end; None where no approval holds: the case is under review already.
    """
    review = latest_review(case)
    if review is None or not review.holds_approval:
        return None
    end = VerdictEnd.objects.create(review=review, reason=EndReason.ERRATUM)
    reopen_tasks(case, seen_now(case).standing)
    reopen(case, why=why)
    logger.info("%s", end)
    return end


def _ask_again(row: CaseStage, now: Seen) -> None:
    """Ends the other verdicts of a stage that waits for more readers, and has each reader give theirs anew."""
    for one in Review.objects.filter(row=row).select_related("reviewer", "end"):
        if one.ending is None and one.seen_sha256 == now.sha256:
            continue
        if one.ending is None:
            VerdictEnd.objects.create(review=one, reason=reason_of(one.seen, now.record))
        ask_again(row, one.reviewer, why="What you gave your verdict on has changed")


def _why_it_ends(review: Review, now: Seen) -> EndReason | None:
    """The reason that ends a verdict; None if all is as it was and, for an approval, the reviewer drew none of it."""
    if review.seen_sha256 != now.sha256:
        return reason_of(review.seen, now.record)
    own = {"largest_correction": review.largest_correction}
    is_own = review.verdict == Verdict.APPROVE and review.mask.is_own_work_of(review.reviewer, **own)
    return EndReason.OWN if is_own else None


def reason_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> EndReason:
    """The reason for the first difference between two records."""
    return next((reason for key, reason in _REASONS.items() if before.get(key) != now.get(key)), EndReason.SAVES)


def reopen_tasks(case: Case, standing: Standing) -> None:
    """Takes "approved" off a case's tasks, here and in Label Studio."""
    approved = LabelingTask.objects.filter(case=case, state=TaskState.APPROVED)
    approved.filter(slice_index__in=standing.saves).update(state=TaskState.ANNOTATED)
    approved.update(state=TaskState.PENDING)
    queue_once(mirror_case_states, case_code=case.code)
