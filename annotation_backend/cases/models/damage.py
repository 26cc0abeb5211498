"""Damage: a stored file that is not the one that was written, as it was met last."""

from pathlib import Path

from django.conf import settings
from django.db import models

from annotation_backend.cases.models.case import Case


class Damage(models.Model):
    """A stored file that is gone or was changed; the row goes once the file is found whole again."""

    case = models.ForeignKey(Case, null=True, on_delete=models.CASCADE, related_name="damages")
    file = models.CharField(max_length=300, unique=True, help_text="Relative to the data folder")
    sha256 = models.CharField(max_length=64, help_text="What the file's digest must be")
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=300)
    remedy = models.CharField(max_length=300)
    found = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["file"]

    def __str__(self) -> str:
        return f"damage of {self.file}"

    @property
    def path(self) -> Path:
        """The damaged file."""
        return Path(settings.DATA_FOLDER) / self.file
