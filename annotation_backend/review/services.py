"""The review queue and the rules of a verdict."""

from dataclasses import dataclass

from django.db import transaction

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.assembly import current_saves
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.losses import open_findings
from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
from annotation_backend.review.models import Review, Verdict, latest_review
from datasets.case import QualityScore
from datasets.errors import RejectedInput


@dataclass(frozen=True)
class QueueEntry:
    """A case with a mask, and where it stands."""

    case: Case
    mask: CaseMask
    review: Review | None

    @property
    def is_waiting(self) -> bool:
        """Whether the newest mask has no verdict yet."""
        return self.review is None or self.review.mask_id != self.mask.pk

    @property
    def annotated_count(self) -> int:
        """Slices that a person submitted."""
        return len(self.mask.annotated_slices)

    @property
    def slice_count(self) -> int:
        """Published slices."""
        return len(self.mask.annotated_slices) + len(self.mask.unannotated_slices)


def newest_mask(case: Case) -> CaseMask | None:
    """The mask that was assembled last."""
    return CaseMask.objects.filter(case=case).order_by("pk").last()


def queue() -> list[QueueEntry]:
    """All cases with a mask, the waiting ones first."""
    cases = Case.objects.in_use().filter(masks__isnull=False).distinct()
    entries = [QueueEntry(case, mask, latest_review(case)) for case in cases if (mask := newest_mask(case))]
    return sorted(entries, key=lambda entry: (not entry.is_waiting, entry.case.code))


def decide(
    mask: CaseMask,
    reviewer: User,
    *,
    verdict: Verdict,
    quality_score: QualityScore,
    comment: str = "",
    accepts_unannotated: bool = False,
) -> Review:
    """Records a verdict and sends a returned case back to the annotator's tab.

    Args:
        mask: The newest mask of its case.
        reviewer: A radiologist who drew none of it.
        verdict: Approve or return.
        quality_score: With the meanings of the InteractiveNet paper's Table S3.
        comment: Needed when the mask is returned.
        accepts_unannotated: The reviewer says that slices nobody submitted hold no tumour.

    Raises:
        RejectedInput: One of the rules is broken; its code says which.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=mask.case_id)
        _check_reviewer(mask, reviewer)
        _check_mask(mask, newest_mask(case), latest_review(case))
        if verdict is Verdict.APPROVE:
            _check_drawers(mask)
            _check_current(mask)
            _check_losses(case)
            _check_approval(mask, accepts_unannotated=accepts_unannotated)
        elif not comment.strip():
            raise RejectedInput("comment-missing", "A returned case needs a comment.", remedy="Say what to change.")
        review = Review.objects.create(
            mask=mask, reviewer=reviewer, verdict=verdict, quality_score=quality_score.value, comment=comment.strip()
        )
        state = TaskState.APPROVED if verdict is Verdict.APPROVE else TaskState.RETURNED
        said = review.comment if verdict is Verdict.RETURN else ""
        LabelingTask.objects.filter(case=case).exclude(state=TaskState.PENDING).update(state=state, review_comment=said)
        mirror_case_states.enqueue(case_code=case.code)
    return review


def _check_reviewer(mask: CaseMask, reviewer: User) -> None:
    if not reviewer.has_role(Role.RADIOLOGIST):
        raise RejectedInput(
            "not-a-radiologist", "Only a radiologist gives a verdict.", remedy="Sign in as a radiologist."
        )
    if mask.is_drawn_by(reviewer):
        raise RejectedInput(
            "own-drawing", "You drew in this mask yourself.", remedy="Another radiologist gives the verdict."
        )


def _check_drawers(mask: CaseMask) -> None:
    if mask.is_in_doubt():
        raise RejectedInput(
            "author-unknown",
            "Somebody drew in this mask who is not known here.",
            remedy="A data manager says who, on the page of findings, once the worker has raised one.",
        )


def _check_mask(mask: CaseMask, newest: CaseMask | None, review: Review | None) -> None:
    if newest is None or newest.pk != mask.pk:
        raise RejectedInput(
            "mask-superseded", "A newer mask of this case has been assembled.", remedy="Load the page and look at it."
        )
    if review is not None and review.mask_id == mask.pk:
        raise RejectedInput(
            "already-decided", "This mask has its verdict already.", remedy="A new annotation opens the case again."
        )


def _check_current(mask: CaseMask) -> None:
    """A save whose mask is not assembled yet must not be approved unseen."""
    if {save.pk for save in current_saves(mask.case).values() if save} != set(
        mask.annotations.values_list("pk", flat=True)
    ):
        raise RejectedInput(
            "mask-behind",
            "A newer save is not in this mask yet.",
            remedy="Wait a moment and load the page; if it stays, look at data/logs/worker.log.",
        )


def _check_losses(case: Case) -> None:
    """A sudden loss that nobody has looked at may be a slip of the hand; the rehearsal's are nobody's."""
    count = 0 if case.is_rehearsal else open_findings(case).count()
    if count:
        raise RejectedInput(
            "losses-unseen",
            f"Nobody has looked at {count} sudden loss(es) of this case.",
            remedy="Compare the versions; restore the earlier one, or say that it was meant.",
        )


def _check_approval(mask: CaseMask, *, accepts_unannotated: bool) -> None:
    if mask.unannotated_slices and not accepts_unannotated:
        raise RejectedInput(
            "slices-unannotated",
            f"{len(mask.unannotated_slices)} slices were submitted by nobody.",
            remedy="Have them annotated, or confirm that they hold no tumour.",
        )
    if mask.findings:
        raise RejectedInput(
            "mask-has-findings", "The mask could not be assembled cleanly.", remedy="Mend what its findings name first."
        )
