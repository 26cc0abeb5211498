"""The Label Studio project, its tasks, the Annotations that came back, and the masks assembled from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import models
from django.db.models import QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.registry.models import Model


class LabelingProject(models.Model):
    """Our project in Label Studio and how it is connected."""

    label_studio_id = models.PositiveIntegerField()
    is_retired = models.BooleanField(default=False, help_text="It was deleted in Label Studio, which gives ids again")
    title = models.CharField(max_length=50)
    ml_backend_id = models.PositiveIntegerField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title


class TaskState(models.TextChoices):
    """Where a task stands in the protocol; mirrored into the task's data, so that tabs can filter by it."""

    PENDING = "pending", "To annotate"
    ANNOTATED = "annotated", "Annotated"
    RETURNED = "returned", "Returned by review"
    APPROVED = "approved", "Approved"


class LabelingTask(models.Model):
    """One slice of a case as a task in Label Studio; the record outlives a task that is deleted there."""

    project = models.ForeignKey(LabelingProject, on_delete=models.PROTECT, related_name="tasks")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="labeling_tasks")
    slice_index = models.PositiveIntegerField()
    label_studio_id = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=TaskState.choices, default=TaskState.PENDING)
    review_comment = models.TextField(blank=True, help_text="What the reviewer asks for, while the task is returned")
    mirrored_comment = models.TextField(blank=True, help_text="As Label Studio has it")
    mirrored_state = models.CharField(max_length=20, default=TaskState.PENDING, help_text="As Label Studio has it")
    drawn_by = models.ForeignKey(
        Model,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The model whose prediction was pushed last",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["case", "slice_index"]
        constraints = [
            models.UniqueConstraint(fields=["case", "slice_index"], name="one_task_per_slice"),
            models.UniqueConstraint(fields=["project", "label_studio_id"], name="one_record_per_task"),
        ]

    def __str__(self) -> str:
        return f"task of {self.case} slice {self.slice_index}"


class ReceivedBy(models.TextChoices):
    """The way a save reached us."""

    WEBHOOK = "webhook", "webhook"
    PULL = "pull", "reconciliation"


class AnnotationQuerySet(QuerySet["Annotation"]):
    """Which saves count."""

    def latest_of_each(self, task: LabelingTask) -> list["Annotation"]:
        """The newest save of every Label Studio annotation of `task` that is neither skipped nor deleted."""
        newest: dict[int, Annotation] = {}
        for annotation in self.filter(task=task).order_by("saved_at", "pk"):
            newest[annotation.label_studio_id] = annotation
        return [a for a in newest.values() if not a.was_cancelled and not a.is_deleted]

    def current(self, task: LabelingTask) -> "Annotation | None":
        """The save that counts for `task`: the newest that is neither skipped nor deleted."""
        return max(self.latest_of_each(task), key=lambda a: (a.saved_at, a.pk), default=None)


class Annotation(models.Model):
    """An immutable snapshot of one save in Label Studio; an edit makes a new row."""

    task = models.ForeignKey(LabelingTask, on_delete=models.PROTECT, related_name="annotations")
    label_studio_id = models.PositiveIntegerField()
    author = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="annotations")
    raw = models.JSONField(help_text="The save as Label Studio sent it")
    content_sha256 = models.CharField(max_length=64, help_text="Digest of what was drawn, by whom and when")
    was_cancelled = models.BooleanField(default=False)
    saved_at = models.DateTimeField(help_text="Label Studio's own time of the save")
    received_by = models.CharField(max_length=10, choices=ReceivedBy.choices)
    received_at = models.DateTimeField(auto_now_add=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ["saved_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["label_studio_id", "content_sha256"], name="one_row_per_save"),
        ]

    def __str__(self) -> str:
        return f"annotation {self.label_studio_id} of {self.task}"

    def save(self, **kwargs: Any) -> None:
        """Stores a new row; refuses to change a stored one."""
        if not self._state.adding:
            raise TypeError("An Annotation never changes; an edit in Label Studio makes a new one.")
        super().save(**kwargs)

    @property
    def is_deleted(self) -> bool:
        """Whether the annotation was deleted in Label Studio (the row stays)."""
        return AnnotationDeletion.objects.filter(label_studio_id=self.label_studio_id).exists()


class AnnotationDeletion(models.Model):
    """A mark that an annotation was deleted in Label Studio."""

    label_studio_id = models.PositiveIntegerField(unique=True)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"deletion of annotation {self.label_studio_id}"


class CaseMask(models.Model):
    """A mask volume assembled from the annotations of a case's slices, on the case's grid; never changed."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="masks")
    annotations = models.ManyToManyField(Annotation, related_name="masks")
    inputs_sha256 = models.CharField(max_length=64, help_text="Digest of the annotations' digests and the grid")
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    annotated_slices = models.JSONField(help_text="Slice indices that a person submitted")
    unannotated_slices = models.JSONField(help_text="Published slice indices that nobody submitted: empty in the mask")
    findings = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["case", "inputs_sha256"], name="one_mask_per_inputs")]

    def __str__(self) -> str:
        return f"mask {self.pk} of {self.case}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.case.folder / self.file

    def drawers(self) -> set[int]:
        """Label Studio ids of everyone who made or changed any version of the annotations in this mask."""
        drawn = self.annotations.values("label_studio_id")
        saves = Annotation.objects.filter(label_studio_id__in=drawn)
        pairs = saves.values_list("raw__completed_by", "raw__updated_by")
        people = {number_of(person) for pair in pairs for person in pair}
        return {person for person in people if isinstance(person, int) and not isinstance(person, bool)}


def number_of(value: object) -> object:
    """Label Studio sends a thing as its number or as an object with an id."""
    return value.get("id") if isinstance(value, Mapping) else value
