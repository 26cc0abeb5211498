"""Prediction: a model's mask. InitialMask: its mask before anybody prompted. Session: one annotator's prompts."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.registry.models import Model


class Prediction(models.Model):
    """A model's mask on one slice, recorded for provenance: its model, its prompts, its digest and size."""

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
    uncertainty_sha256 = models.CharField(max_length=64, blank=True, help_text="Digest of the bytes of `uncertainty`")
    uncertainty = models.BinaryField(
        null=True, help_text="The slice of the uncertainty map, 8 bits a pixel, compressed; none: the model gave no map"
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


class Session(models.Model):
    """One annotator's prompts for one label of one case, and the masks of the slices so far."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="sessions")
    person = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="sessions",
        help_text="Empty where Label Studio did not say who",
    )
    label = models.CharField(max_length=80, blank=True, help_text="Empty for the first label that prompts draw")
    turn = models.PositiveIntegerField(default=0, help_text="How often it was asked")
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "person", "label"], name="one_session_per_person_and_case"),
            models.UniqueConstraint(
                fields=["case", "label"], condition=models.Q(person__isnull=True), name="one_session_without_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"session {self.pk} on {self.case}"


class PromptState(models.TextChoices):
    """State of a prompt."""

    ACTIVE = "active", "counts"
    UNDONE = "undone", "taken back"
    REJECTED = "rejected", "its mask was rejected"


class SessionPrompt(models.Model):
    """One prompt of a session, or a command (undo, start over); rows are kept, their state changes."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="prompts")
    region_id = models.CharField(max_length=64, help_text="Label Studio's")
    asks = models.CharField(max_length=20, help_text="The kind of prompt, or the wish")
    slice_index = models.PositiveIntegerField()
    place = models.JSONField(help_text="In RAS+ millimetres")
    state = models.CharField(max_length=10, choices=PromptState.choices, default=PromptState.ACTIVE)
    turn = models.PositiveIntegerField(help_text="The session's when it was made")
    batch = models.PositiveIntegerField(help_text="The turn of the first prompt of its suggestion")
    before = models.BinaryField(help_text="The slice's mask before it, packed; empty for none")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["created", "id"], name="prompts_by_time")]
        constraints = [models.UniqueConstraint(fields=["session", "region_id"], name="one_row_per_smart_prompt")]

    def __str__(self) -> str:
        return f"{self.asks} of {self.session} on slice {self.slice_index}"


class MaskOrigin(models.TextChoices):
    """Where the mask of a slice in a session came from: a prompt on it, or propagation."""

    ANSWERED = "answered", "a prompt on it was answered"
    PROPAGATED = "carried", "it was drawn from its neighbours"


class SessionSlice(models.Model):
    """The mask of one slice in a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="slices")
    index = models.PositiveIntegerField()
    bits = models.BinaryField(help_text="The mask's pixels in picture orientation, packed")
    origin = models.CharField(max_length=10, choices=MaskOrigin.choices)
    turn = models.PositiveIntegerField(help_text="The session's turn that it answers")
    model_version = models.CharField(max_length=120)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["session", "index"], name="one_mask_per_session_and_slice")]

    def __str__(self) -> str:
        return f"slice {self.index} of {self.session}"
