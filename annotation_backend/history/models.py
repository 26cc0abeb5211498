"""Event: one thing that a person did, as a row that never changes; Figures: a study's dashboard as it was worked out.

What has a row of its own already (saves, prompts, verdicts, assignments, changes of settings) is no event as well: the
audit log unites these (`audit.sources`).
"""

from django.db import models
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.history.kept import KeptQuerySet, KeptRow
from annotation_backend.studies.models import Study


class EventKind(models.TextChoices):
    """What happened."""

    TASK_OPENED = "task-opened", "Opened a task in Label Studio"
    TASK_ACTIVE = "task-active", "Worked on a task in Label Studio"
    DRAFT = "draft", "Label Studio kept a draft"
    PAGE_OPENED = "page-opened", "Opened a page"
    PAGE_ACTIVE = "page-active", "Worked on a page"
    PAGE_IDLE = "page-idle", "Stopped working on a page"
    RELEASE_DOWNLOADED = "release-downloaded", "Downloaded a release"
    MASK_DOWNLOADED = "mask-downloaded", "Downloaded a mask"
    AUDIT_DOWNLOADED = "audit-downloaded", "Downloaded the audit log or times"
    SIMULATED = "simulated", "A simulated annotator worked on a case"


PULSES = (EventKind.TASK_ACTIVE, EventKind.PAGE_ACTIVE, EventKind.PAGE_IDLE)
"""Kinds that only say how long somebody worked; the audit log leaves them out unless it is asked for them."""


class Event(KeptRow):
    """One thing that somebody did in a study; written once (`recording.record`), never changed.

    The database refuses a change as well, by a trigger.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=20, choices=EventKind.choices)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="events")
    stage = models.CharField(max_length=60, blank=True, help_text="Name in the study's protocol, where known")
    slice_index = models.PositiveIntegerField(null=True)
    detail = models.JSONField(default=dict, help_text="A few short words and numbers: `recording.DETAILS`")
    created = models.DateTimeField(default=now)

    objects = KeptQuerySet["Event"].as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["study", "created", "id"], name="events_of_a_study"),
            models.Index(fields=["study", "kind", "created", "id"], name="events_of_a_kind"),
            models.Index(fields=["study", "person", "created", "id"], name="events_of_a_person"),
            models.Index(fields=["case", "created", "id"], name="events_of_a_case"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}: {self.kind}"


class Figures(models.Model):
    """A study's dashboard as it was worked out last: everything in it can be worked out again at any time."""

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="figures")
    state = models.JSONField(help_text="How far the records had come that it was worked out from")
    values = models.JSONField(help_text="The tables of the dashboard, by name")
    made = models.DateTimeField()

    def __str__(self) -> str:
        return f"figures of {self.study}"
