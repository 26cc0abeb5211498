"""Review: a radiologist's verdict on a case's mask, with a record of the images and mask that it was given on."""

from collections.abc import Collection

from django.db import models
from django.db.models import Q, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.review.seen import seen_now
from annotation_backend.stages.models import CaseStage, StageState
from datasets.study.case import QualityScore

MOST_COMMENT = 1000
"""Signs of one comment."""


class Verdict(models.TextChoices):
    """A radiologist's decision on the mask."""

    APPROVE = "approve", "Approve"
    RETURN = "return", "Return to the annotator"
    DOWN = "down", "Send down to be drawn afresh"


class Review(models.Model):
    """One verdict; never changed: a new one follows it, or a row says when and why it ended."""

    mask = models.ForeignKey(CaseMask, on_delete=models.PROTECT, related_name="reviews")
    row = models.ForeignKey(
        CaseStage, null=True, on_delete=models.PROTECT, related_name="reviews", help_text="None: of an earlier version"
    )
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    quality_score = models.CharField(max_length=24, choices=[(score.value, score.name) for score in QualityScore])
    comment = models.TextField(blank=True, max_length=4000)
    seen = models.JSONField(default=dict, help_text="What was looked at, by digest; empty: of an earlier version")
    seen_sha256 = models.CharField(max_length=64, blank=True, help_text="Digest of that record")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["created", "id"], name="reviews_by_time")]

    def __str__(self) -> str:
        return f"{self.verdict} of {self.mask}"

    @property
    def quality_words(self) -> str:
        """The score as people read it."""
        return self.quality_score.replace("_", " ")

    @property
    def ending(self) -> "VerdictEnd | None":
        """The row that ended the verdict; None while it holds."""
        return getattr(self, "end", None)

    def holds_on(self, mask: CaseMask) -> bool:
        """Whether it is a verdict on this mask and nothing has ended it."""
        return self.mask_id == mask.pk and self.ending is None

    @property
    def holds_approval(self) -> bool:
        """Whether it approves, all that its stage asks for have, and nothing has ended it."""
        is_last = self.row is None or self.row.state == StageState.DONE
        return self.verdict == Verdict.APPROVE and self.ending is None and is_last

    @property
    def largest_correction(self) -> float:
        """Share of the mask's voxels that its reviewer may have corrected themselves."""
        return largest_correction(self.row)


class EndReason(models.TextChoices):
    """The change that ended a verdict."""

    REGISTRATION = "registration", "the case was registered again"
    PICTURES = "pictures", "its pictures were drawn anew"
    SEQUENCE = "sequence", "another sequence is drawn on now"
    SAVES = "saves", "what was drawn has changed"
    OWN = "own", "who gave it drew in the mask"
    ERRATUM = "erratum", "a reader of a release reported a fault in it"
    UNPROVEN = "unproven", "it was given before verdicts were bound to what was looked at; look again"


class VerdictEnd(models.Model):
    """The end of a verdict, because something that the radiologist looked at changed; rows are never changed."""

    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="end")
    reason = models.CharField(max_length=12, choices=EndReason.choices)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"end of {self.review}: {self.get_reason_display()}"


class CommentQuerySet(QuerySet["Comment"]):
    """Finds comments; what was said never changes and never goes."""

    def pinned(self) -> "CommentQuerySet":
        """Comments at a voxel; the others answer one of them."""
        return self.filter(answered_to__isnull=True)

    def open(self) -> "CommentQuerySet":
        """Pinned comments that nobody closed."""
        return self.pinned().filter(closed_at__isnull=True)


class Comment(models.Model):
    """What somebody said of a voxel of a mask, or an answer to it; only its closing is ever added."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="comments")
    mask = models.ForeignKey(
        CaseMask, null=True, on_delete=models.PROTECT, related_name="comments", help_text="The one that was looked at"
    )
    answered_to = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="answers")
    voxel = models.JSONField(help_text="Indices i, j, k on the case's grid")
    slice_index = models.PositiveIntegerField(help_text="The voxel's slice, which has the task that shows it")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="comments")
    text = models.CharField(max_length=MOST_COMMENT)
    created = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_by__isnull=True)
                | Q(closed_at__isnull=False, closed_by__isnull=False, answered_to__isnull=True),
                name="closed_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"comment {self.pk} on {self.case} slice {self.slice_index}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody to close it."""
        return self.closed_at is None and self.answered_to_id is None


def latest_review(case: Case) -> Review | None:
    """The newest verdict on any mask of the case, ended or not."""
    return latest_reviews([case]).get(case.pk)


def latest_reviews(cases: Collection[Case]) -> dict[int, Review]:
    """The newest verdict of each case that has one, by the case's key; one query for all of them."""
    rows = Review.objects.filter(mask__case__in=[case.pk for case in cases]).select_related(
        "mask", "reviewer", "end", "row__case__study"
    )
    return {review.mask.case_id: review for review in rows.order_by("pk")}


def approved_review(case: Case) -> Review | None:
    """The verdict that makes a mask of the case an approved mask.

    The newest one, if it approves, if images, pictures, saves and mask are as they were when it was given, and if its
    radiologist drew none of it, as far as is known today. A stage that a later version of the protocol added ends it
    only by what is decided there.
    """
    review = latest_review(case)
    if review is None or not review.holds_approval:
        return None
    is_as_it_was = review.seen_sha256 == seen_now(case).sha256
    waits = CaseStage.objects.filter(case=case, state=StageState.OPEN, is_added=False)  # others leave it approved
    if not is_as_it_was or waits.exists():
        return None
    is_own = review.mask.is_own_work_of(review.reviewer, largest_correction=review.largest_correction)
    return None if is_own else review


def largest_correction(row: CaseStage | None) -> float:
    """Share of a mask's voxels that a reviewer may correct and approve in a stage; 0 where they may not at all."""
    stage = row.rules if row is not None else None
    return stage.largest_correction if stage is not None and stage.may_correct else 0.0
