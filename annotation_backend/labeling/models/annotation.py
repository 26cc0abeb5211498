"""Annotation: an immutable snapshot of one save; which saves count; deletions; confirmations by Label Studio."""

from django.db import models
from django.db.models import Exists, OuterRef, Q

from annotation_backend.accounts.models import User
from annotation_backend.history.kept import KeptQuerySet, KeptRow
from annotation_backend.labeling.models.decoding import DECODING
from annotation_backend.labeling.models.project import LabelingProject, LabelingTask
from annotation_backend.stages.models import Reading

ANNOTATION = ("task", "project", "label_studio_task", "label_studio_id")
"""Fields that identify an annotation: its number alone may stand in two tasks, after a move or an import."""

_KEYS = ("task_id", "project_id", "label_studio_task", "label_studio_id")


class ReceivedBy(models.TextChoices):
    """The way by which a save reached us: webhook or reconciliation."""

    WEBHOOK = "webhook", "webhook"
    PULL = "pull", "reconciliation"


class ConfirmationOutcome(models.TextChoices):
    """Label Studio's answer when it was asked about a save that came by webhook."""

    CONFIRMED = "confirmed", "confirmed"
    SUPERSEDED = "superseded", "replaced by a newer save before Label Studio could confirm it"
    UNCHECKED_LEGACY = "assumed", "taken before saves were checked"
    MISMATCH = "otherwise", "Label Studio has something else"
    UNKNOWN = "unknown", "Label Studio does not have it"


BELIEVED = (ConfirmationOutcome.CONFIRMED, ConfirmationOutcome.UNCHECKED_LEGACY)
"""Label Studio gave us that very save, or it came before saves were checked."""

EVIDENCE = (ConfirmationOutcome.SUPERSEDED, ConfirmationOutcome.MISMATCH, ConfirmationOutcome.UNKNOWN)
"""A save with one of these outcomes is kept, but counts nowhere and is nobody's: it may be forged."""


class AnnotationQuerySet(KeptQuerySet["Annotation"]):
    """Finds the saves that count; `discard_rehearsals` alone, for the doctor, ever removes one."""

    def confirmed(self) -> "AnnotationQuerySet":
        """Saves that Label Studio itself gave us, or confirmed when it was asked."""
        return self.filter(Q(received_by=ReceivedBy.PULL) | Q(confirmation__outcome__in=BELIEVED))

    def waiting(self) -> "AnnotationQuerySet":
        """Saves that came by webhook and that Label Studio was not asked about yet."""
        return self.filter(received_by=ReceivedBy.WEBHOOK, confirmation__isnull=True)

    def evidence(self) -> "AnnotationQuerySet":
        """Saves that Label Studio was asked about and did not confirm."""
        return self.filter(confirmation__outcome__in=EVIDENCE)

    def undecoded(self) -> "AnnotationQuerySet":
        """Confirmed saves of which no masks are kept, or those that an earlier version decoded."""
        return self.filter(Q(drawn__isnull=True) | Q(drawn__decoding__lt=DECODING)).confirmed()

    def unproved(self) -> "AnnotationQuerySet":
        """Confirmed saves whose annotator is unknown, until a data manager names one.

        Label Studio notes the signed-in person (`updated_by`) at every save, but not where annotations are imported or
        copied from predictions; the person whom such an annotation names (`completed_by`) is what somebody wrote into a
        file. An account there that drew before its person was added here may have been anybody's: everybody there can
        make one under any address.
        """
        theirs = User.objects.filter(Q(draws_since__isnull=True) | Q(draws_since__lte=OuterRef("saved_at")))
        saved_by, made_by = (theirs.filter(label_studio_id=OuterRef(name)) for name in ("updated_by", "completed_by"))
        is_unknown = ~Exists(saved_by) | (Q(completed_by__gt=0) & ~Exists(made_by))
        return self.confirmed().filter(is_unknown, named__isnull=True)

    def proved(self) -> "AnnotationQuerySet":
        """Confirmed saves of annotations all of whose versions were made by somebody known here."""
        doubted = Annotation.objects.filter(project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id"))
        return self.confirmed().filter(~Exists(doubted.unproved()))

    def counting(self) -> "AnnotationQuerySet":
        """The newest confirmed save of every annotation, by people known here, neither skipped nor deleted.

        Two annotations of one slice may both be among them, and readers' own; see `newest_of_each_task`.
        """
        same = {name: OuterRef(name) for name in ANNOTATION}
        later = Q(saved_at__gt=OuterRef("saved_at")) | Q(saved_at=OuterRef("saved_at"), pk__gt=OuterRef("pk"))
        others, deletion = Annotation.objects.filter(**same), AnnotationDeletion.objects.filter(**same)
        rows = self.proved().filter(~Exists(others.confirmed().filter(later)), ~Exists(deletion))
        return rows.filter(was_cancelled=False)

    def newest_of_each_task(self, reading: Reading | None = None) -> dict[int, "Annotation"]:
        """By task: the save that counts among these; one query, without the bodies as Label Studio sent them.

        Args:
            reading: The reader whose own saves are asked for; None for those that count for the case.
        """
        rows = self.counting().filter(reading=reading).order_by("saved_at", "pk").defer("raw")
        return {save.task_id: save for save in rows}

    def current(self, task: LabelingTask) -> "Annotation | None":
        """The save that counts for `task`: the newest that is neither skipped nor deleted."""
        return self.filter(task=task).newest_of_each_task().get(task.pk)

    def discard_rehearsals(self) -> int:
        """Removes rows of the doctor's rehearsal cases, the one kind that is ever removed; returns how many."""
        rows = self.filter(task__case__is_rehearsal=True)
        count = rows.count()
        super(KeptQuerySet, rows).delete()
        return count


class Annotation(KeptRow):
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
    reading = models.ForeignKey(
        Reading,
        null=True,
        on_delete=models.PROTECT,
        related_name="annotations",
        db_index=False,  # of most saves it is None, for which no index may be asked
        help_text="The reader whose own work it is; None: it counts for the case",
    )
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
        indexes = [
            models.Index(fields=["project", "label_studio_id", "saved_at"], name="saves_of_an_annotation"),
            models.Index(fields=["received_at", "id"], name="saves_by_time"),
            models.Index(fields=["reading"], condition=Q(reading__isnull=False), name="saves_of_a_reading"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=[*ANNOTATION, "content_sha256", "completed_by", "updated_by"],
                name="one_row_per_save",
            ),
            models.UniqueConstraint(fields=["task", "number"], name="one_number_per_version"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.task}"

    @property
    def is_deleted(self) -> bool:
        """Whether the annotation was deleted in Label Studio (the row stays)."""
        return AnnotationDeletion.objects.filter(**{name: getattr(self, name) for name in _KEYS}).exists()

    @property
    def people(self) -> set[int]:
        """Label Studio's numbers of the people whom this save names."""
        return {self.completed_by, self.updated_by} - {0}


class AnnotationDeletion(models.Model):
    """An annotation that was deleted in Label Studio, in a task that is still there; its saves stay here."""

    task = models.ForeignKey(LabelingTask, on_delete=models.CASCADE, related_name="deletions")
    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="deletions")
    label_studio_task = models.PositiveIntegerField()
    label_studio_id = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=list(ANNOTATION), name="one_mark_per_deleted_annotation")]

    def __str__(self) -> str:
        return f"deletion of annotation {self.label_studio_id}"


class DeletionAsked(models.Model):
    """A webhook says that an annotation was deleted: Label Studio is asked, and nothing else happens until then."""

    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="deletions_asked")
    label_studio_id = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "label_studio_id"], name="one_question_per_annotation")
        ]

    def __str__(self) -> str:
        return f"whether annotation {self.label_studio_id} was deleted"


class Confirmation(models.Model):
    """Label Studio's answer about a save that came by webhook; a webhook can be forged."""

    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="confirmation")
    outcome = models.CharField(max_length=10, choices=ConfirmationOutcome.choices)
    asked = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.annotation}: {self.outcome}"


class NamedDrawer(models.Model):
    """The annotator of a save whom Label Studio cannot vouch for, as a data manager named them."""

    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="named")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="named_for")
    named_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.annotation}: drawn by {self.person}"
