"""Prediction: what a model drew on one slice of a case. InitialMask: what it drew there before anyone pointed."""

from django.db import models

from annotation_backend.cases.models import Case
from annotation_backend.registry.models import Model


class Prediction(models.Model):
    """A model's mask on one slice, kept for provenance: which model, which prompts, what it covered."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="predictions")
    slice_index = models.PositiveIntegerField()
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="predictions")
    model_version = models.CharField(max_length=120, help_text="As shown in Label Studio")
    prompts = models.JSONField(default=dict, help_text="Clicks and boxes in RAS+ millimetres")
    score = models.FloatField(null=True)
    mask_sha256 = models.CharField(max_length=64)
    pixels = models.PositiveIntegerField(help_text="Pixels inside the mask")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.model_version} on {self.case} slice {self.slice_index}"


class InitialMask(models.Model):
    """A model's unprompted mask of one slice, kept whole, so that it is computed once (`initial_masks.py`)."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="initial_masks")
    slice_index = models.PositiveIntegerField()
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="initial_masks")
    inputs_sha256 = models.CharField(
        max_length=64, help_text="Digest of what it was drawn from; another one: draw anew"
    )
    model_version = models.CharField(max_length=120, help_text="As shown in Label Studio")
    score = models.FloatField(null=True)
    bits = models.BinaryField(
        help_text="The mask's pixels in picture orientation, packed and compressed; empty if none"
    )
    drawn = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "slice_index", "model"], name="one_initial_mask_per_slice_and_model"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.case} slice {self.slice_index}, unprompted"
