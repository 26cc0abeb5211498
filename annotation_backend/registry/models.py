"""Model (a package with a version) and Promotion (which model serves which kind of prompt)."""

from pathlib import Path

from django.conf import settings
from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.studies.models import Study
from datasets.image.mask import TUMOUR


class PromptKind(models.TextChoices):
    """A kind of prompt; automatic is none."""

    AUTOMATIC = "automatic", "automatic"
    BOX = "box", "box"
    POINT = "point", "click"
    EXTREME_POINTS = "extreme-points", "extreme points"


class Model(models.Model):
    """A model package in the data folder; its files never change."""

    name = models.CharField(max_length=60)
    version = models.CharField(max_length=30)
    method = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    folder = models.CharField(max_length=200, help_text="Relative to the data folder")
    prompt_kinds = models.JSONField(help_text="The kinds of prompt it can answer")
    images = models.JSONField(default=list, help_text="Kinds of the images it takes, in its order; none for any image")
    label = models.CharField(max_length=80, blank=True, help_text="The label it draws; empty for whatever it is shown")
    study = models.ForeignKey(
        Study, null=True, on_delete=models.PROTECT, related_name="models", help_text="Whose masks it learned from"
    )
    snapshot_digest = models.CharField(max_length=64, blank=True, help_text="The snapshot it learned from, if ours")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "created"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="one_model_per_version")]

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def path(self) -> Path:
        """The package's folder."""
        return Path(settings.DATA_FOLDER) / self.folder


class Promotion(models.Model):
    """From `created` on, `model` draws `label` in `study` from prompts of `prompt_kind`.

    The newest promotion counts; the older ones are the history, of which nothing is changed: going back to the model
    before is another promotion (`is_back`).
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="promotions")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="promotions")
    prompt_kind = models.CharField(max_length=20, choices=PromptKind.choices)
    label = models.CharField(max_length=80, default=TUMOUR, help_text="One of the labels that the study's prompts draw")
    is_default = models.BooleanField(default=False, help_text="Not a person's choice: a shipped model took the place")
    is_back = models.BooleanField(default=False, help_text="Goes back to the model that served before")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    reason = models.CharField(max_length=200, blank=True, help_text="In a person's words, where figures did not decide")
    decision = models.CharField(max_length=32, blank=True, help_text="The same for what was promoted together")
    evidence = models.JSONField(default=dict, help_text="What was known of it and of the model before, in figures")
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.model} draws {self.label} from {self.prompt_kind} prompts in {self.study}"
