"""The Label Studio project, its tasks, and the numbers that tasks had there before."""

from collections.abc import Mapping

from django.db import models

from annotation_backend.cases.models import Case
from annotation_backend.registry.models import Model
from annotation_backend.studies.models import Study
from datasets.study.protocol import Protocol


class LabelingProject(models.Model):
    """A study's project in Label Studio and how it is connected."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="labeling_projects")
    label_studio_id = models.PositiveIntegerField()
    is_retired = models.BooleanField(default=False, help_text="It was deleted in Label Studio, which gives ids again")
    organisation = models.PositiveIntegerField(null=True, help_text="Label Studio's number of the one it is in")
    made_at = models.DateTimeField(null=True, help_text="Label Studio's own time: tells it from another of its number")
    title = models.CharField(max_length=50)
    ml_backend_id = models.PositiveIntegerField(null=True)
    webhook_id = models.PositiveIntegerField(null=True)
    written = models.JSONField(
        default=dict, help_text="What we gave the project last: name to the SHA-256 values that may be there"
    )
    looked_at = models.DateTimeField(null=True, help_text="Until then the project and what changed was as we left it")
    looked_over_at = models.DateTimeField(null=True, help_text="The same for every task")
    pulled_until = models.DateTimeField(null=True, help_text="What Label Studio changed before this was compared")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title

    @property
    def protocol(self) -> Protocol:
        """Its study's protocol."""
        return self.study.protocol


class TaskState(models.TextChoices):
    """State of a task; mirrored into the task's data, so that tabs can filter by it."""

    PENDING = "pending", "To annotate"
    ANNOTATED = "annotated", "Annotated"
    RETURNED = "returned", "Returned by review"
    APPROVED = "approved", "Approved"


class LabelingTask(models.Model):
    """One slice of a case as a task in Label Studio; the record outlives a task that is deleted there."""

    project = models.ForeignKey(LabelingProject, on_delete=models.PROTECT, related_name="tasks")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="labeling_tasks")
    slice_index = models.PositiveIntegerField()
    label_studio_id = models.PositiveIntegerField(
        help_text="0: Label Studio has deleted it and given its number to another"
    )
    state = models.CharField(max_length=20, choices=TaskState.choices, default=TaskState.PENDING)
    review_comment = models.TextField(blank=True, help_text="What the reviewer asks for, while the task is returned")
    slice_comments = models.TextField(blank=True, help_text="Open comments that are pinned to the slice")
    mirrored_comment = models.TextField(blank=True, help_text="As Label Studio has it")
    mirrored_state = models.CharField(max_length=20, default=TaskState.PENDING, help_text="As Label Studio has it")
    drawn_by = models.ForeignKey(
        Model,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The model whose prediction was pushed last",
    )
    written = models.JSONField(
        default=list, help_text="SHA-256 of the data that we gave it: the last, and one that is on its way"
    )
    shown = models.JSONField(
        default=list, help_text="SHA-256 of predictions that we pushed or answered and that may be there"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["case", "slice_index"]
        indexes = [models.Index(fields=["project", "state", "case"], name="tasks_by_state")]
        constraints = [
            models.UniqueConstraint(fields=["case", "slice_index"], name="one_task_per_slice"),
            models.UniqueConstraint(
                fields=["project", "label_studio_id"],
                condition=models.Q(label_studio_id__gt=0),
                name="one_record_per_task",
            ),
        ]

    def __str__(self) -> str:
        return f"task of {self.case} slice {self.slice_index}"

    @property
    def shown_comment(self) -> str:
        """What stands above the pictures in Label Studio: what the review asks for, then the slice's own comments."""
        return "\n".join(part for part in (self.review_comment, self.slice_comments) if part)


class FormerTask(models.Model):
    """A number that a task had in Label Studio before it was deleted there; it may be another task's by now."""

    task = models.ForeignKey(LabelingTask, on_delete=models.CASCADE, related_name="former")
    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="former_tasks")
    label_studio_id = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "project", "label_studio_id"], name="one_record_per_former_task")
        ]

    def __str__(self) -> str:
        return f"former task {self.label_studio_id} of {self.task}"


def number_of(value: object) -> object:
    """Label Studio sends a thing as its number or as an object with an id."""
    return value.get("id") if isinstance(value, Mapping) else value
