"""Snapshot (the frozen list of approved masks a model learned from) and Run."""

from django.db import models

from annotation_backend.registry.models import Model
from annotation_backend.studies.models import Study


class Snapshot(models.Model):
    """The frozen list of approved masks that a model learned from; the same masks give the same digest."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    digest = models.CharField(max_length=64)
    content = models.JSONField(help_text="Per case: mask, images and verdict by digest, and nothing of people")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "digest"], name="one_snapshot_per_digest")]

    def __str__(self) -> str:
        return f"snapshot {self.digest[:12]}"


class RunStatus(models.TextChoices):
    """Status of a run."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Run(models.Model):
    """One training on one snapshot."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=60)
    settings = models.JSONField()
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.RUNNING)
    losses = models.JSONField(default=list)
    error = models.TextField(blank=True)
    model = models.OneToOneField(Model, null=True, on_delete=models.PROTECT, related_name="run")
    started = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"run {self.pk} ({self.method})"
