"""Opening: that a reviewer looked at a case. Disagreement: how far a case's masks agree. DigestChoice: e-mails."""

from django.db import models
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask


class Opening(models.Model):
    """A person's newest look at a case's review page, with the digest of all that it showed."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="openings")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="openings")
    mask = models.ForeignKey(CaseMask, on_delete=models.CASCADE, related_name="openings")
    seen_sha256 = models.CharField(max_length=64)
    opened_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [models.UniqueConstraint(fields=["person", "case"], name="one_opening_per_person_and_case")]

    def __str__(self) -> str:
        return f"{self.case} opened by person {self.person_id}"


class ComparedMasks(models.TextChoices):
    """Whose masks were compared."""

    READERS = "readers", "readers' masks"
    MODEL = "model", "the model's draft and what was drawn"


class Disagreement(models.Model):
    """How far the masks of a case agree, as it was measured last; it only orders work."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="disagreement")
    between = models.CharField(max_length=8, choices=ComparedMasks.choices)
    dice = models.FloatField(help_text="0 to 1; the smallest of any two readers")
    measured_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Dice {self.dice:.2f} of {self.get_between_display()} of {self.case}"


class DigestChoice(models.Model):
    """Whether a person wants the daily e-mail, and when the last one went; without a row they want it."""

    person = models.OneToOneField(User, on_delete=models.CASCADE, related_name="digest_choice")
    is_wanted = models.BooleanField(default=True)
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"digests of person {self.person_id}"
