"""Images on a case's grid, how each came there, verdicts of the checks and of people, and requests to redo it."""

from pathlib import Path
from typing import Any

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models.case import DOUBTFUL, Case, VerdictOfRegistration, title_of


class CaseImage(models.Model):
    """One image of a case on the case's grid."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="images")
    role = models.CharField(max_length=16)
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_image_per_role")]

    def __str__(self) -> str:
        return f"{self.role} on the grid of {self.case}"

    @property
    def path(self) -> Path:
        """The volume's NIfTI file."""
        return self.case.folder / self.file


class Registration(models.Model):
    """How one image of a case was brought onto the one that stayed."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="registrations")
    role = models.CharField(max_length=16, help_text="The image that was moved")
    fixed_role = models.CharField(max_length=16, help_text="The image that stayed")
    record = models.JSONField(help_text="Transform, parameters, seed, versions, inputs")
    record_sha256 = models.CharField(max_length=64)
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

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_registration_per_role")]

    def __str__(self) -> str:
        return f"registration of {self.role} of {self.case}"

    @property
    def title(self) -> str:
        """The moved image's name on pages."""
        return title_of(self.case, self.role)

    @property
    def fixed_title(self) -> str:
        """The name of the image that stayed, on pages."""
        return title_of(self.case, self.fixed_role)

    @property
    def folder(self) -> Path:
        """Folder of the registration's files."""
        return self.checkerboard_path.parent

    @property
    def checkerboard_path(self) -> Path:
        """PNG of both images in alternating tiles."""
        return self.case.folder / self.checkerboard_file

    @property
    def checks(self) -> list[dict[str, Any]]:
        """The checks: code, value, limit, verdict, message; none where an earlier version registered."""
        return list(self.record.get("quality", {}).get("checks", []))

    @property
    def is_doubtful(self) -> bool:
        """Whether it keeps the case from being annotated."""
        return self.verdict in DOUBTFUL

    @property
    def may_be_left_out(self) -> bool:
        """Whether the case can do without the image: its protocol does not require it."""
        return self.role not in (*self.case.protocol.required, self.case.drawn_role)


class RegistrationVerdict(models.Model):
    """A person's verdict on one registration; the newest counts, and a new registration starts without."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="registration_verdicts")
    role = models.CharField(max_length=16, help_text="The image that was moved")
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
    """A person's request to register an image of a case again with other settings."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="redos")
    role = models.CharField(max_length=16, blank=True, help_text="The image to move; empty for all of them")
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
