"""Release: a frozen dataset of approved cases."""

from pathlib import Path

from django.conf import settings
from django.db import models

from annotation_backend.cases.models import Case
from annotation_backend.studies.models import Study


class Release(models.Model):
    """A release folder in the data folder; its files never change."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="releases")
    name = models.CharField(max_length=60)
    version = models.CharField(max_length=30)
    digest = models.CharField(max_length=64)
    folder = models.CharField(max_length=200, help_text="Relative to the data folder")
    cases = models.ManyToManyField(Case, related_name="releases")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["study", "name", "version"], name="one_release_per_version")]

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def path(self) -> Path:
        """The release's folder."""
        return Path(settings.DATA_FOLDER) / self.folder
