"""Control cases: cases of known mask among the others, people's readings of them, and pauses that came of these."""

from pathlib import Path

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.stages.models import Reading
from annotation_backend.studies.models import Study


class KnownFrom(models.TextChoices):
    """How a control case's mask is known."""

    APPROVED = "approved", "Approved mask"
    IMPORTED = "imported", "Mask that came with the studies"


class ControlCase(models.Model):
    """A case of known mask that people get among their work in one drawing stage without being told."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="controls")
    stage = models.CharField(max_length=60, help_text="Name in the study's protocol")
    known_from = models.CharField(max_length=10, choices=KnownFrom.choices)
    file = models.CharField(max_length=200, help_text="The known mask, relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    images_sha256 = models.CharField(max_length=64, help_text="The case's images when it was marked")
    marked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True, help_text="None: people still get it")

    class Meta:
        ordering = ["case__code"]
        constraints = [
            models.UniqueConstraint(fields=["case", "stage"], condition=Q(ended_at=None), name="one_control_per_stage")
        ]

    def __str__(self) -> str:
        return f"control case {self.case} in {self.stage}"

    @property
    def path(self) -> Path:
        """The known mask's NIfTI file."""
        return self.case.folder / self.file


class ControlShare(models.Model):
    """The share of control cases among the pieces of work of a study's stage."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="control_shares")
    stage = models.CharField(max_length=60)
    share = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "stage"], name="one_share_per_stage"),
            models.CheckConstraint(condition=Q(share__gte=0.0, share__lte=0.5), name="half_at_most"),
        ]

    def __str__(self) -> str:
        return f"{self.share:.0%} of {self.stage} in {self.study}"


class ControlReading(models.Model):
    """A person's reading of a control case: the draft that they were shown, and what they handed in."""

    control = models.ForeignKey(ControlCase, on_delete=models.PROTECT, related_name="readings")
    reading = models.OneToOneField(Reading, on_delete=models.PROTECT, related_name="control")
    slices = models.JSONField(help_text="Indices of the slices that it is about")
    draft_file = models.CharField(
        max_length=200, blank=True, help_text="Relative to the case's folder; empty: no draft"
    )
    draft_sha256 = models.CharField(max_length=64, blank=True)
    fault = models.JSONField(default=dict, help_text="What was planted in the draft: kind and slices; empty: nothing")
    draft_dice = models.FloatField(null=True, help_text="Of the draft and the known mask")
    mask = models.ForeignKey(CaseMask, null=True, on_delete=models.PROTECT, related_name="+")
    dice = models.FloatField(null=True, help_text="Of what was handed in and the known mask")
    is_unchanged = models.BooleanField(null=True, help_text="What was handed in is the draft; None: there was none")
    is_corrected = models.BooleanField(null=True, help_text="Most of the planted fault is gone; None: there was none")
    places = models.JSONField(default=list, help_text="Where it is wrong, worst first")
    scored_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scored_at=None) | Q(dice__gte=0.0, dice__lte=1.0),
                name="scored_has_figures",
            )
        ]

    def __str__(self) -> str:
        return f"{self.control} by {self.reading.person_id}"

    @property
    def draft_path(self) -> Path:
        """The draft's NIfTI file."""
        return self.control.case.folder / self.draft_file


class Pause(models.Model):
    """A person gets no further work of a stage: their last control cases went badly; a data manager lifts it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="pauses")
    stage = models.CharField(max_length=60)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="pauses")
    mean_dice = models.FloatField()
    created = models.DateTimeField(default=now)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "stage", "person"], condition=Q(lifted_at=None), name="one_pause_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True) | Q(lifted_at__gte=F("created")), name="lifted_later"
            ),
        ]

    def __str__(self) -> str:
        return f"pause of {self.person_id} in {self.stage}"
