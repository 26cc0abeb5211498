"""Registration: how T1 was brought onto T2, verdicts of the checks and of people, and requests to do it again."""

from pathlib import Path
from typing import Any

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models.case import Case
from datasets.study.case import SeriesRole


class VerdictOfRegistration(models.TextChoices):
    """Whether a registration may be built upon; the values are those of `curation.registration.quality`."""

    ACCEPT = "accept", "Accepted"
    LOOK = "look", "To be looked at"
    REJECT = "reject", "Rejected"


class Registration(models.Model):
    """How T1 was brought onto T2, and the two volumes on the case's grid."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="registration")
    record = models.JSONField(help_text="Transform, parameters, seed, versions, inputs")
    record_sha256 = models.CharField(max_length=64)
    t1_file = models.CharField(max_length=200)
    t2_file = models.CharField(max_length=200)
    checkerboard_file = models.CharField(max_length=200)
    automatic_verdict = models.CharField(max_length=8, choices=VerdictOfRegistration.choices, blank=True)
    verdict = models.CharField(
        max_length=8,
        choices=VerdictOfRegistration.choices,
        blank=True,
        db_index=True,
        help_text="A person's, or automatic",
    )
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"registration of {self.case}"

    @property
    def folder(self) -> Path:
        """Folder of the registration's files."""
        return (self.case.folder / self.t1_file).parent

    def volume_path(self, role: SeriesRole) -> Path:
        """The volume of `role` on the case's grid."""
        return self.case.folder / (self.t1_file if role is SeriesRole.T1 else self.t2_file)

    @property
    def checkerboard_path(self) -> Path:
        """PNG of T1 and T2 in alternating tiles."""
        return self.case.folder / self.checkerboard_file

    @property
    def checks(self) -> list[dict[str, Any]]:
        """The checks: code, value, limit, verdict, message; none where an earlier version registered."""
        return list(self.record.get("quality", {}).get("checks", []))

    @property
    def is_doubtful(self) -> bool:
        """Whether it keeps the case from being annotated."""
        return self.verdict in (VerdictOfRegistration.LOOK, VerdictOfRegistration.REJECT)


class RegistrationVerdict(models.Model):
    """A person's verdict on one registration; the newest counts, and a new registration starts without."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="registration_verdicts")
    record_sha256 = models.CharField(max_length=64, help_text="The registration that was looked at")
    verdict = models.CharField(max_length=8, choices=VerdictOfRegistration.choices)
    comment = models.CharField(max_length=400, blank=True)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.verdict} of {self.case}"


class RedoState(models.TextChoices):
    """State of a request to register again."""

    QUEUED = "queued", "Waits for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class RegistrationRedo(models.Model):
    """A person's request to register a case again with other settings."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="redos")
    preset = models.CharField(max_length=20)
    motion = models.CharField(max_length=20)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=RedoState.choices, default=RedoState.QUEUED)
    finding = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.preset} {self.motion} of {self.case}"
