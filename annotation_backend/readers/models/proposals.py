"""What an adjudicator decides on: the readers' masks, where they differ, and masks that are proposed of them."""

from pathlib import Path

from django.db import models
from django.utils.timezone import now

from annotation_backend.stages.models import CaseStage


class Proposals(models.Model):
    """Worked out of readers' masks once, for an adjudication; never changed."""

    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="proposals")
    masks_sha256 = models.CharField(max_length=64, help_text="Digest of the readers' masks")
    regions = models.JSONField(help_text="Where readers differ, largest first, by label")
    performance = models.JSONField(help_text="STAPLE's sensitivity and specificity of each seat, by label")
    staple_file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    staple_sha256 = models.CharField(max_length=64)
    majority_file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    majority_sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["row", "masks_sha256"], name="proposals_once")]

    def __str__(self) -> str:
        return f"proposals for {self.row}"

    def path_of(self, file: str) -> Path:
        """Where one of its files lies."""
        return self.row.case.folder / file
