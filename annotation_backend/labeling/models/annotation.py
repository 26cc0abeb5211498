"""Annotation: an immutable snapshot of one save; which saves count; deletions, and Label Studio's word on a save."""

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models.project import LabelingProject, LabelingTask

_NEVER_CHANGES = "An Annotation never changes; an edit in Label Studio makes a new one."


class ReceivedBy(models.TextChoices):
    """The way a save reached us."""

    WEBHOOK = "webhook", "webhook"
    PULL = "pull", "reconciliation"


class Outcome(models.TextChoices):
    """What Label Studio answered when it was asked about a save that came by webhook."""

    CONFIRMED = "confirmed", "confirmed"
    SUPERSEDED = "superseded", "already replaced by a newer save when Label Studio was asked"
    ASSUMED = "assumed", "taken before saves were checked"
    OTHERWISE = "otherwise", "Label Studio has something else"
    UNKNOWN = "unknown", "Label Studio does not have it"


DENIED = (Outcome.OTHERWISE, Outcome.UNKNOWN)
"""A save with one of these never counts."""


class AnnotationQuerySet(QuerySet["Annotation"]):
    """Which saves count; and no way to change or remove a stored one."""

    def counting(self, *, confirmed_only: bool = False) -> "AnnotationQuerySet":
        """The newest save of every Label Studio annotation, unless it is skipped, deleted, or denied.

        Two annotations of one slice may both be among them; see `newest_of_each_task`.

        Args:
            confirmed_only: Passes over what only a webhook vouches for so far, as if it had not come.
        """
        of_the_same = Annotation.objects.filter(
            task=OuterRef("task"), project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id")
        )
        later = Q(saved_at__gt=OuterRef("saved_at")) | Q(saved_at=OuterRef("saved_at"), pk__gt=OuterRef("pk"))
        deletion = AnnotationDeletion.objects.filter(
            project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id")
        )
        rows, others = (found.confirmed() if confirmed_only else found.not_denied() for found in (self, of_the_same))
        return rows.filter(~Exists(others.filter(later)), ~Exists(deletion), was_cancelled=False)

    def not_denied(self) -> "AnnotationQuerySet":
        """Without what Label Studio was asked about and did not confirm."""
        return self.exclude(confirmation__outcome__in=DENIED)

    def confirmed(self) -> "AnnotationQuerySet":
        """What Label Studio itself told us, or confirmed when it was asked."""
        return self.filter(~Q(received_by=ReceivedBy.WEBHOOK) | Q(confirmation__isnull=False)).not_denied()

    def newest_of_each_task(self, *, confirmed_only: bool = False) -> dict[int, "Annotation"]:
        """By task: the save that counts among these; one query, without the bodies as Label Studio sent them."""
        counting = self.counting(confirmed_only=confirmed_only).order_by("saved_at", "pk")
        return {save.task_id: save for save in counting.defer("raw")}

    def current(self, task: LabelingTask) -> "Annotation | None":
        """The save that counts for `task`: the newest that is neither skipped nor deleted."""
        return self.filter(task=task).newest_of_each_task().get(task.pk)

    def discard_rehearsals(self) -> int:
        """Removes rows of the doctor's rehearsal cases, the one kind that is ever removed; returns how many."""
        rows = self.filter(task__case__is_rehearsal=True)
        count = rows.count()
        super(AnnotationQuerySet, rows).delete()
        return count

    def update(self, **_values: Any) -> int:
        """Refused.

        Raises:
            TypeError: Always.
        """
        raise TypeError(_NEVER_CHANGES)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused; `discard_rehearsals` is for the doctor.

        Raises:
            TypeError: Always.
        """
        raise TypeError(_NEVER_CHANGES)

    def bulk_create(self, *rows: Any, **options: Any) -> list["Annotation"]:
        """New rows only.

        Raises:
            TypeError: The call would change rows that are there.
        """
        if options.get("update_conflicts"):
            raise TypeError(_NEVER_CHANGES)
        return super().bulk_create(*rows, **options)


class Annotation(models.Model):
    """An immutable snapshot of one save in Label Studio, a version of its slice; an edit makes a new row."""

    task = models.ForeignKey(LabelingTask, on_delete=models.PROTECT, related_name="annotations")
    project = models.ForeignKey(
        LabelingProject,
        on_delete=models.PROTECT,
        related_name="annotations",
        help_text="Where it was saved; its number means nothing in another project",
    )
    label_studio_id = models.PositiveIntegerField()
    label_studio_task = models.PositiveIntegerField(help_text="Label Studio's number of the task it was saved in")
    number = models.PositiveIntegerField(help_text="Counts the versions of a task in the order they came here")
    author = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="annotations")
    completed_by = models.PositiveIntegerField(default=0, help_text="Label Studio's number of a person; 0: not said")
    updated_by = models.PositiveIntegerField(default=0, help_text="Label Studio's number of a person; 0: not said")
    raw = models.JSONField(help_text="The save as Label Studio sent it")
    content_sha256 = models.CharField(max_length=64, help_text="Digest of what was drawn and when")
    was_cancelled = models.BooleanField(default=False)
    saved_at = models.DateTimeField(help_text="Label Studio's own time of the save")
    received_by = models.CharField(max_length=10, choices=ReceivedBy.choices)
    received_at = models.DateTimeField(auto_now_add=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ["saved_at", "pk"]
        indexes = [models.Index(fields=["project", "label_studio_id", "saved_at"], name="saves_of_an_annotation")]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "label_studio_id", "content_sha256", "completed_by", "updated_by"],
                name="one_row_per_save",
            ),
            models.UniqueConstraint(fields=["task", "number"], name="one_number_per_version"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.task}"

    def save(self, **kwargs: Any) -> None:
        """Stores a new row; refuses to change a stored one."""
        if not self._state.adding:
            raise TypeError(_NEVER_CHANGES)
        super().save(**kwargs)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Refused.

        Raises:
            TypeError: Always.
        """
        raise TypeError(_NEVER_CHANGES)

    @property
    def is_deleted(self) -> bool:
        """Whether the annotation was deleted in Label Studio (the row stays)."""
        marks = AnnotationDeletion.objects.filter(project_id=self.project_id, label_studio_id=self.label_studio_id)
        return marks.exists()


class AnnotationDeletion(models.Model):
    """A mark that an annotation was deleted in Label Studio."""

    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="deletions")
    label_studio_id = models.PositiveIntegerField()
    is_confirmed = models.BooleanField(default=False, help_text="Label Studio was asked and does not have it")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "label_studio_id"], name="one_mark_per_deleted_annotation")
        ]

    def __str__(self) -> str:
        return f"deletion of annotation {self.label_studio_id}"


class Confirmation(models.Model):
    """Label Studio's word on a save that came by webhook; anybody who reads the webhook's header can send one."""

    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="confirmation")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    asked = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.annotation}: {self.outcome}"
