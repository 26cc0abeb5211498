"""Records about a version: its decoded masks, findings that a person should look at, and its restorations."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models.annotation import Annotation
from annotation_backend.labeling.models.decoding import DECODING


class VersionMasks(models.Model):
    """The masks that a save holds, decoded once: one packed bit a pixel and label, compressed."""

    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="drawn")
    height = models.PositiveIntegerField(help_text="pixels")
    width = models.PositiveIntegerField(help_text="pixels")
    areas = models.JSONField(help_text="Pixels inside, by label")
    regions = models.JSONField(help_text="Count of mask regions, by label")
    unreadable = models.PositiveIntegerField(help_text="Regions that could not be read; the save itself keeps them")
    bits = models.BinaryField(help_text="The labels' masks in alphabetical order, row by row, packed and compressed")
    decoding = models.PositiveSmallIntegerField(default=DECODING, help_text="Which decoding gave them")

    def __str__(self) -> str:
        return f"masks of {self.annotation}"


class FindingKind(models.TextChoices):
    """Kind of a loss or doubt that a person should look at."""

    AREA = "area", "Most of the mask is gone"
    REGIONS = "regions", "A region is gone"
    LABEL = "label", "A label is gone"
    WITHDRAWN = "withdrawn", "What was drawn last counts no more"
    UNCONFIRMED = "unconfirmed", "Label Studio does not confirm it"
    AUTHOR = "author", "Nobody knows who drew it"
    SHOWN = "shown", "Drawn while Label Studio showed something else"

    @property
    def is_of_a_case(self) -> bool:
        """Whether one finding stands for all such saves of a case; the others are of one save each."""
        return self in (FindingKind.UNCONFIRMED, FindingKind.AUTHOR)


class AnnotationFinding(models.Model):
    """A sudden loss, or saves of a case that are in doubt, until a person has looked at it.

    `annotation` is the save that took something away; for a doubt about a case, the newest save in doubt.
    """

    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="findings")
    before = models.ForeignKey(Annotation, null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=FindingKind.choices)
    label = models.CharField(max_length=100, blank=True)
    numbers = models.JSONField(default=dict, help_text="Pixels and regions before and after, or how many saves")
    seen_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="seen_findings")
    seen_at = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["annotation", "before", "kind", "label"], name="one_finding_per_loss")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.annotation}"


class Restoration(models.Model):
    """A person had an earlier version written back to Label Studio; it came back as a version of its own."""

    source = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="restorations")
    result = models.OneToOneField(Annotation, null=True, on_delete=models.CASCADE, related_name="restored_from")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="restorations")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.source} restored by {self.person}"
