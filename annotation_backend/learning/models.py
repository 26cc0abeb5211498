"""Snapshot (the frozen list of approved masks a model learned from), Run, and when a study trains again by itself."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_backend.accounts.models import User
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

    @property
    def cases(self) -> tuple[str, ...]:
        """The codes of its cases."""
        return tuple(str(entry["case"]) for entry in self.content["cases"])


HOW_IT_RAN = ("precision", "numbers", "compiled")
"""Settings of a run on which nothing depends that is learned."""


class RunStatus(models.TextChoices):
    """Status of a run."""

    RUNNING = "running", "Running"
    STOPPED = "stopped", "Stopped"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Run(models.Model):
    """One training on one snapshot: what it was made with, how it goes, and what came of it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="runs")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=60)
    settings = models.JSONField()
    code = models.JSONField(default=dict, help_text="Version, and commit where there is one")
    environment = models.JSONField(default=dict, help_text="Software, kind of machine, threads; no names of machines")
    folds = models.JSONField(default=list, help_text="The cases that each fold is tried on; none without folds")
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.RUNNING)
    holder = models.CharField(max_length=80, blank=True, help_text="Says whether its process lives")
    progress = models.JSONField(default=dict, help_text="Part, iterations, seconds left and losses as it trains")
    losses = models.JSONField(default=list)
    figures = models.JSONField(default=list, help_text="Each held-out case as drawn by the fold that never saw it")
    summary = models.JSONField(default=dict, help_text="Of the figures")
    findings = models.JSONField(default=list, help_text="What is to be said of its cases and folds, one text each")
    drafts = models.JSONField(
        default=list, help_text="What became of models' drafts on the way to the snapshot's masks"
    )
    error = models.TextField(blank=True)
    model = models.OneToOneField(Model, null=True, on_delete=models.PROTECT, related_name="run")
    started = models.DateTimeField(auto_now_add=True, db_index=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(status="running"), name="one_running_run_per_study")
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.method})"

    @property
    def asked(self) -> dict[str, Any]:
        """The settings without those of how it ran, which change nothing but the rounding of numbers."""
        return {name: value for name, value in self.settings.items() if name not in HOW_IT_RAN}

    @property
    def folder(self) -> Path:
        """Folder of its pictures."""
        return Path(settings.DATA_FOLDER) / "runs" / str(self.pk)


class AskedBy(models.TextChoices):
    """What asked for a training."""

    CASES = "cases", "new approved cases"
    CLOCK = "clock", "the clock"
    BUTTON = "button", "a button"


class TrainingAsk(models.Model):
    """Somebody or something asks for a training of a study; while one waits, a second one is counted with it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="training_asks")
    why = models.CharField(max_length=10, choices=AskedBy.choices)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="If it is known")
    count = models.PositiveIntegerField(default=1, help_text="How often it was asked until it began")
    created = models.DateTimeField(auto_now_add=True, db_index=True)
    begun = models.DateTimeField(null=True)
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="asks")
    error = models.TextField(blank=True, help_text="Why nothing was trained")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=Q(begun__isnull=True), name="one_waiting_ask_per_study")
        ]

    def __str__(self) -> str:
        return f"training of {self.study} asked for by {self.get_why_display()}"


class Retraining(models.Model):
    """When a study trains again, from `created` on; the newest counts, the older ones are the history."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="retrainings")
    after_cases = models.PositiveIntegerField(null=True, help_text="New approved cases; none: not by them")
    every_days = models.PositiveIntegerField(null=True, help_text="Days between two trainings; none: not by the clock")
    by_button = models.BooleanField(default=True, help_text="Whether Label Studio's button starts one")
    method = models.CharField(max_length=60)
    folds = models.PositiveIntegerField(default=0, help_text="0: one model of all cases, without figures")
    iterations = models.PositiveIntegerField(null=True, help_text="None: the method's own number")
    external = models.JSONField(null=True, help_text="Document of the cohort that no training of the study may read")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"retraining of {self.study}"
