"""A case's stages with their rounds, people's assignments, and readings: a reader's own result, kept apart."""

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from datasets.study.stage import AssignedBy, Stage

WHOLE_CASE = -1
"""Stands for the index of a slice where the work is about the case as a whole."""


class StageState(models.TextChoices):
    """What has become of a stage of a case, in one of its rounds."""

    OPEN = "open", "Open"
    DONE = "done", "Done"
    RETURNED = "returned", "Sent back"
    WENT_DOWN = "went_down", "Sent down the ladder"
    ENDED = "ended", "Ended by a change of the protocol"


class CaseStageManager(models.Manager["CaseStage"]):
    """The stages on cases' own ways; a person's work on a control case is none of them."""

    def get_queryset(self) -> "models.QuerySet[CaseStage]":
        """Without control rows; `CaseStage.every` has these, too, and so has what refers to one."""
        return super().get_queryset().filter(is_control=False)


class CaseStage(models.Model):
    """A stage of a case in one round: it is opened once and closed once; another round is another row.

    A control row is one person's: their work on a case of known mask, which moves the case nowhere.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="stages")
    stage = models.CharField(max_length=60, help_text="Name in the study's protocol")
    round = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=StageState.choices, default=StageState.OPEN)
    is_fresh = models.BooleanField(default=False, help_text="What was drawn before it opened counts no more")
    is_control = models.BooleanField(default=False, help_text="One person's work on a control case")
    is_added = models.BooleanField(
        default=False, help_text="Opened for a finished case by a later version; its approval holds meanwhile"
    )
    asked_slices = models.JSONField(
        default=list, null=True, help_text="Slices that a return asks to be drawn again; None: the whole case"
    )
    opened_at = models.DateTimeField(default=now)
    closed_at = models.DateTimeField(null=True)

    objects = CaseStageManager()
    every = models.Manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "stage", "round"], condition=Q(is_control=False), name="one_row_per_round"
            ),
            models.UniqueConstraint(
                fields=["case", "stage"], condition=Q(state="open", is_control=False), name="open_once"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="closed_has_a_time",
            ),
            models.CheckConstraint(condition=Q(round__gte=1), name="rounds_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} ({self.round}) of {self.case}"

    @property
    def is_open(self) -> bool:
        """Whether work on it can go on."""
        return self.state == StageState.OPEN

    def asks_for(self, index: int) -> bool:
        """Whether a return asks for a slice; what it does not ask for stays as it was drawn."""
        return self.asked_slices is None or index in self.asked_slices

    @property
    def is_repeated(self) -> bool:
        """Whether only what is drawn since it was opened is done in it: the case had been drawn before."""
        return self.round > 1 or self.is_added

    @property
    def rules(self) -> Stage | None:
        """Its stage in the protocol that is in force; None where the protocol has none of its name (any more)."""
        return {stage.name: stage for stage in self.case.protocol.steps}.get(self.stage)


class Transition(models.Model):
    """A change of a case's stage; rows are never changed."""

    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="transitions")
    state = models.CharField(max_length=10, choices=StageState.choices)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or by itself")
    why = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(default=now)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["created", "id"], name="transitions_by_time")]

    def __str__(self) -> str:
        return f"{self.row}: {self.get_state_display()}"


class AssignmentState(models.TextChoices):
    """What has become of a person's piece of work."""

    OPEN = "open", "To do"
    DONE = "done", "Done"
    GIVEN_BACK = "given_back", "Given back"
    LAPSED = "lapsed", "The lease ran out"
    TAKEN = "taken", "Given to somebody else"


class Assignment(models.Model):
    """A piece of a stage's work that is one person's."""

    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="assignments")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="assignments")
    seat = models.PositiveIntegerField(default=1, help_text="Which of the stage's readers, from 1")
    how = models.CharField(max_length=10, choices=[(how.value, how.value) for how in AssignedBy])
    why = models.CharField(max_length=200, blank=True, help_text="Why this case is this person's, or next")
    by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Who gave it out")
    lease_until = models.DateTimeField(null=True, help_text="None: it does not run out")
    begins_at = models.PositiveIntegerField(null=True, help_text="Slice that is proposed to begin with")
    state = models.CharField(max_length=10, choices=AssignmentState.choices, default=AssignmentState.OPEN)
    created = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["person", "state"], name="work_of_a_person"),
            models.Index(fields=["created", "id"], name="assignments_by_time"),
            models.Index(fields=["ended_at", "id"], name="assignments_by_end"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="ended_has_a_time",
            ),
            models.CheckConstraint(condition=Q(seat__gte=1), name="seats_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.row} for person {self.person_id}"

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.state == AssignmentState.OPEN


class AssignedSlice(models.Model):
    """One slice of an assignment, or the whole case; held until the assignment is given back or lapses.

    The database lets nobody have a slice that another has in the same seat, and nobody have two seats of a slice.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="slices")
    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="assigned_slices")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="assigned_slices")
    seat = models.PositiveIntegerField()
    slice_index = models.IntegerField(help_text=f"{WHOLE_CASE}: the case as a whole")
    is_held = models.BooleanField(default=True)

    class Meta:
        ordering = ["slice_index"]
        constraints = [
            models.UniqueConstraint(
                fields=["row", "seat", "slice_index"], condition=Q(is_held=True), name="one_person_per_slice_and_seat"
            ),
            models.UniqueConstraint(
                fields=["row", "person", "slice_index"], condition=Q(is_held=True), name="one_seat_per_person"
            ),
            models.CheckConstraint(condition=Q(slice_index__gte=WHOLE_CASE), name="a_slice_or_the_case"),
        ]

    def __str__(self) -> str:
        return f"slice {self.slice_index} of {self.assignment}"


class Reading(models.Model):
    """One reader's own result in a stage whose readers are kept apart: their saves, and a mask made of these alone."""

    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="readings")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="readings")
    seat = models.PositiveIntegerField()
    created = models.DateTimeField(default=now)
    handed_in_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["row", "seat"]
        constraints = [
            models.UniqueConstraint(fields=["row", "person"], name="one_reading_per_person"),
            models.CheckConstraint(
                condition=Q(handed_in_at__isnull=True) | Q(handed_in_at__gte=F("created")), name="handed_in_later"
            ),
        ]

    def __str__(self) -> str:
        return f"reading {self.seat} of {self.row}"
