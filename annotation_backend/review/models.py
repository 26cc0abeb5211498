"""Review: a radiologist's verdict on a case's mask."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from datasets.case import QualityScore


class Verdict(models.TextChoices):
    """What becomes of the mask."""

    APPROVE = "approve", "Approve"
    RETURN = "return", "Return to the annotator"


class Review(models.Model):
    """One verdict; never changed, a new one follows it."""

    mask = models.ForeignKey(CaseMask, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    quality_score = models.CharField(max_length=24, choices=[(score.value, score.name) for score in QualityScore])
    comment = models.TextField(blank=True, max_length=4000)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.verdict} of {self.mask}"


def latest_review(case: Case) -> Review | None:
    """The newest verdict on any mask of the case."""
    return Review.objects.filter(mask__case=case).select_related("mask").order_by("pk").last()


def approved_review(case: Case) -> Review | None:
    """The verdict that makes a mask of the case an approved mask: the newest one, if it approves."""
    review = latest_review(case)
    return review if review is not None and review.verdict == Verdict.APPROVE else None
