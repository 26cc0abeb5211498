"""The review queue and the rules of a verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import is_exported
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.labeling.versions.standing import Standing, standings
from annotation_backend.review.models import Review, Verdict, largest_correction, latest_reviews
from annotation_backend.review.queue_order import QueueOrder, cases_with_a_mask, under_review, waiting_behind
from annotation_backend.review.seen import Seen, seen_now
from annotation_backend.review.verdict_stages import follow_verdicts, is_decided_for, stage_for
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, StageState
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore
from datasets.study.stage import AssignedBy, StageWork

_LOOKED_AT = 20
"""Cases that are looked at together for the next one."""


@dataclass(frozen=True)
class QueueEntry:
    """An annotated case, with its saves and mask that count, its newest verdict, and whether a stage waits for one."""

    case: Case
    standing: Standing
    review: Review | None
    is_under_review: bool = False

    @property
    def mask(self) -> CaseMask | None:
        """The mask that counts."""
        return self.standing.mask

    @property
    def is_waiting(self) -> bool:
        """Whether the mask that counts has no verdict that holds, or a stage waits for another."""
        if self.mask is None:
            return False
        return self.is_under_review or not (self.review and self.review.holds_on(self.mask))

    @property
    def annotated_count(self) -> int:
        """Slices that a person submitted."""
        return len(self.standing.saves)

    @property
    def slice_count(self) -> int:
        """Number of slices that were published."""
        mask = self.mask
        return len(mask.annotated_slices) + len(mask.unannotated_slices) if mask else self.case.labeling_tasks.count()


def queue(study: Study) -> list[QueueEntry]:
    """All cases of a study with a mask, those first that need a look."""
    return entries_of(cases_with_a_mask(study))


def entries_of(rows: Iterable[Case]) -> list[QueueEntry]:
    """The queue's entries for some cases, those first that need a look, else in their order; a few queries for all.

    Verdicts count once all of a stage's readers have given theirs.
    """
    cases = list(rows.select_related("study") if isinstance(rows, QuerySet) else rows)
    found, latest, waits = standings(cases), latest_reviews(cases), under_review(cases)
    reviews = {case: review for case, review in latest.items() if review.row is None or not review.row.is_open}
    entries = [QueueEntry(case, found[case.pk], reviews.get(case.pk), case.pk in waits) for case in cases]
    return sorted(entries, key=lambda entry: not entry.is_waiting)


def next_waiting(study: Study, reviewer: User, *, after: Case, order: QueueOrder = QueueOrder.CODE) -> Case | None:
    """The case that waits next for a reviewer who did not draw in it: the first behind `after`, else the first of all.

    Where a stage's work is assigned, only what is theirs is found.

    Args:
        study: The study.
        reviewer: Who looks for work.
        after: The case that they come from.
        order: What comes first.
    """
    for portion in waiting_behind(study, after, order):
        others = _work_of_others(portion, reviewer)
        for entry in entries_of([case for case in portion if case.pk not in others]):
            if entry.is_waiting and entry.mask is not None and not entry.mask.is_own_work_of(reviewer):
                return entry.case
    return None


def _work_of_others(cases: list[Case], reviewer: User) -> set[int]:
    """Keys of the cases whose open review is assigned, and not to this reviewer; two queries."""
    rows = CaseStage.objects.filter(case__in=cases, state=StageState.OPEN).select_related("case__study")
    theirs = Assignment.objects.filter(person=reviewer, state=AssignmentState.OPEN).values_list("row", flat=True)
    own = set(theirs.filter(row__case__in=cases))
    return {
        row.case_id
        for row in rows
        if row.rules is not None
        and row.rules.does is StageWork.REVIEW
        and row.rules.assignment is not AssignedBy.OPEN
        and row.pk not in own
    }


def decide(
    mask: CaseMask,
    reviewer: User,
    *,
    verdict: Verdict,
    quality_score: QualityScore,
    comment: str = "",
    accepts_unannotated: bool = False,
    seen_sha256: str = "",
) -> Review:
    """Records a verdict, bound to what was looked at, and sends a returned case back to the annotator's tab.

    Registrations, pictures, saves and exclusions wait meanwhile: all of them lock the case.

    Args:
        mask: The mask that was looked at; it must be the one that counts.
        reviewer: A radiologist who drew none of it.
        verdict: Approve or return.
        quality_score: With the meanings of the InteractiveNet paper's Table S3.
        comment: Needed when the mask is returned.
        accepts_unannotated: The reviewer says that slices nobody submitted hold no tumour.
        seen_sha256: Digest of all that the reviewer's page showed; empty where only the mask's number is known.

    Raises:
        RejectedInput: One of the rules is broken; its code says which.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=mask.case_id)
        User.objects.select_for_update(no_key=True).get(pk=reviewer.pk)  # a role is taken before, or after
        require_reviewable(case)
        seen = seen_now(case)
        _check_role(case, reviewer)
        _check_seen(mask, seen, seen_sha256 or seen.sha256)
        _check_undecided(mask, reviewer)
        row, stage = stage_for(case, reviewer, seen.standing)
        _check_reviewer(mask, reviewer, row)
        verdict = _checked(verdict, quality_score, comment, row)
        if verdict is Verdict.APPROVE:
            _check_annotators(mask)
            _check_losses(case, reviewer)
            _check_approval(mask, accepts_unannotated=accepts_unannotated)
        review = Review.objects.create(
            mask=mask,
            row=row,
            reviewer=reviewer,
            verdict=verdict,
            quality_score=quality_score.value,
            comment=comment.strip(),
            seen=seen.record,
            seen_sha256=seen.sha256,
        )
        follow_verdicts(review, stage)
    return review


def require_reviewable(case: Case) -> None:
    """Refuses a case that takes no verdict now.

    Raises:
        RejectedInput: It is excluded, its registration is rejected or waits for a person, or its pictures show an
            earlier registration (``pictures-behind``).
    """
    require_sound(case)
    if not is_exported(case):
        raise RejectedInput(
            "pictures-behind",
            "The case's pictures show an earlier registration.",
            remedy=f"Have a data manager run `manage.py export_slices --case {case.code}`; then load the page.",
        )


def _check_role(case: Case, reviewer: User) -> None:
    """Refuses people who review in no stage of the case's protocol; which stage is open, its own check tells."""
    reviewing = {Role(stage.done_by) for stage in case.protocol.steps if stage.does is StageWork.REVIEW}
    if not has_role_in(case.study, reviewer, *(reviewing or {Role.RADIOLOGIST})):
        raise RejectedInput(
            "not-a-radiologist", "Only a radiologist gives a verdict.", remedy="Sign in as a radiologist."
        )


def _check_reviewer(mask: CaseMask, reviewer: User, row: CaseStage) -> None:
    most = largest_correction(row)
    if mask.corrected_share_of(reviewer) > most:
        raise RejectedInput(
            "correction-too-large",
            f"You changed more of this mask than {most:.0%} of its voxels yourself.",
            remedy="Another radiologist gives the verdict.",
        )
    if mask.is_drawn_by(reviewer):
        raise RejectedInput(
            "own-drawing", "You drew in this mask yourself.", remedy="Another radiologist gives the verdict."
        )
    if mask.has_annotator_named_by(reviewer):
        raise RejectedInput(
            "own-word",
            "You named an annotator of this mask yourself.",
            remedy="Another radiologist gives the verdict.",
        )


def _check_annotators(mask: CaseMask) -> None:
    if mask.is_in_doubt():
        raise RejectedInput(
            "author-unknown",
            "An annotator of this mask is not known here.",
            remedy="A data manager names the annotator on the page of findings, once the worker has raised a finding.",
        )


def _check_seen(mask: CaseMask, now: Seen, seen_sha256: str) -> None:
    """Refuses a verdict on a mask that does not count, or on a page that has changed since the reviewer loaded it."""
    if now.standing.is_to_be_assembled:
        raise RejectedInput(
            "mask-behind",
            "A newer save is not in this mask yet.",
            remedy="Wait a moment and load the page; if it stays, look at data/logs/worker.log.",
        )
    if now.standing.mask is None or now.standing.mask.pk != mask.pk:
        raise RejectedInput(
            "mask-superseded", "This mask of the case does not count any more.", remedy="Load the page and look at it."
        )
    if now.sha256 != seen_sha256:
        raise RejectedInput(
            "seen-superseded",
            "Images, pictures or annotations of this case have changed since the page was loaded.",
            remedy="Load the page and look at it.",
        )


def _check_undecided(mask: CaseMask, reviewer: User) -> None:
    """Refuses a second verdict on a mask, but for another reader's or stage's that is waited for."""
    if is_decided_for(mask, reviewer):
        raise RejectedInput(
            "already-decided", "This mask has its verdict already.", remedy="A new annotation opens the case again."
        )


def _checked(verdict: Verdict, score: QualityScore, comment: str, row: CaseStage) -> Verdict:
    """The verdict as it is kept: one that does not approve sends down the ladder where its score says so."""
    stage = row.rules
    goes_down = stage is not None and score in stage.goes_down_on
    if verdict is Verdict.APPROVE and goes_down:
        raise RejectedInput(
            "score-goes-down",
            f"With the score {score.value.replace('_', ' ')} a case is not approved: it is drawn afresh.",
            remedy="Send it down, or give another score.",
        )
    if goes_down:
        return Verdict.DOWN
    if verdict is not Verdict.APPROVE and stage is not None and not stage.returns_to:
        raise RejectedInput(
            "stage-no-return",
            f"{stage.title} returns no case.",
            remedy="Approve it, or give a score that sends it down.",
        )
    if verdict is not Verdict.APPROVE and not comment.strip():
        raise RejectedInput("comment-missing", "A returned case needs a comment.", remedy="Say what to change.")
    return verdict


def _check_losses(case: Case, reviewer: User) -> None:
    """A sudden loss that nobody has looked at may be a slip of the hand; the rehearsal's are nobody's."""
    count = 0 if case.is_rehearsal else open_findings(case).count()
    if count and not open_findings(case, person=reviewer).exists():
        raise RejectedInput(
            "losses-unseen",
            "Something about annotations of this case is for a data manager to look at first.",
            remedy="Ask a data manager, who sees it on the page of findings.",
        )
    if count:
        raise RejectedInput(
            "losses-unseen",
            f"Nobody has looked at {count} finding(s) about annotations of this case.",
            remedy=f"They stand on this page and on {page_of(case.study, 'finding-list')}; each says how to settle it.",
        )


def _check_approval(mask: CaseMask, *, accepts_unannotated: bool) -> None:
    if mask.unannotated_slices and not accepts_unannotated:
        raise RejectedInput(
            "slices-unannotated",
            f"{len(mask.unannotated_slices)} slices were submitted by nobody.",
            remedy="Have them annotated, or confirm that they hold no tumour.",
        )
    if mask.blocking_findings:
        raise RejectedInput(
            "mask-has-findings", "The mask could not be assembled cleanly.", remedy="Mend what its findings name first."
        )
