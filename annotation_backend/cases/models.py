"""Patient, Case, Series, Registration and Slice: the records behind a case's files."""

import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from datasets.case import SeriesRole, TissueType, annotated_role


def choices(enum: type[SeriesRole] | type[TissueType]) -> list[tuple[str, str]]:
    """Django choices of one of the ground's enums."""
    return [(member.value, member.name.replace("_", " ").capitalize()) for member in enum]


class Patient(models.Model):
    """A person whose studies came in, known here by a code and a keyed hash of the hospital's identifier."""

    code = models.CharField(max_length=16, unique=True)
    pseudonym = models.CharField(max_length=64, unique=True, help_text="HMAC-SHA-256; the key stays in the data folder")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.code


class Case(models.Model):
    """One tumour of one patient: a T1 and a T2 that end up on one grid."""

    code = models.CharField(max_length=16, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    tissue_type = models.CharField(max_length=20, choices=choices(TissueType), default=TissueType.UNKNOWN.value)
    anatomical_site = models.CharField(max_length=80, blank=True)
    source_sha256 = models.CharField(max_length=64, unique=True, help_text="Digest of both series' source digests")
    is_rehearsal = models.BooleanField(default=False, help_text="The doctor's own; never reviewed, learned or released")
    findings = models.JSONField(default=list)
    picture_plane = models.JSONField(null=True, help_text="How a picture's pixel goes back to its voxel")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def folder(self) -> Path:
        """Where the case's files lie."""
        return Path(settings.DATA_FOLDER) / "cases" / self.code

    @property
    def annotated_role(self) -> SeriesRole:
        """The sequence that annotators draw on."""
        return annotated_role(TissueType(self.tissue_type))

    @property
    def is_registered(self) -> bool:
        """Whether T1 and T2 lie on one grid."""
        return hasattr(self, "registration")


class Series(models.Model):
    """One imported volume with its role in the case, on its own grid."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="series")
    role = models.CharField(max_length=8, choices=choices(SeriesRole))
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    source_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    evidence = models.JSONField(default=dict, help_text="Header facts and the reasons for the choice")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_series_per_role")]

    def __str__(self) -> str:
        return f"{self.case} {self.role}"

    @property
    def path(self) -> Path:
        """The volume's NIfTI file."""
        return self.case.folder / self.file


class ImportedMask(models.Model):
    """A mask that came with the studies, on its own series' grid; a reference, never an approved mask."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="imported_masks")
    roi_name = models.CharField(max_length=80, help_text="Known words of the name only")
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    source_sha256 = models.CharField(max_length=64, help_text="Of the file that it came from")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.series} {self.roi_name}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.series.case.folder / self.file


class Registration(models.Model):
    """How T1 was brought onto T2, and the two volumes on the case's grid."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="registration")
    record = models.JSONField(help_text="Transform, parameters, seed, versions, inputs")
    record_sha256 = models.CharField(max_length=64)
    t1_file = models.CharField(max_length=200)
    t2_file = models.CharField(max_length=200)
    checkerboard_file = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"registration of {self.case}"

    def volume_path(self, role: SeriesRole) -> Path:
        """The volume of `role` on the case's grid."""
        return self.case.folder / (self.t1_file if role is SeriesRole.T1 else self.t2_file)

    @property
    def checkerboard_path(self) -> Path:
        """PNG of T1 and T2 in alternating tiles."""
        return self.case.folder / self.checkerboard_file


class Slice(models.Model):
    """One exported picture: its case, sequence and index, and the capability that opens it in a browser."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="slices")
    role = models.CharField(max_length=8, choices=choices(SeriesRole))
    index = models.PositiveIntegerField()
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    token = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    revoked = models.BooleanField(default=False)

    class Meta:
        ordering = ["case", "index", "role"]
        constraints = [models.UniqueConstraint(fields=["case", "role", "index"], name="one_picture_per_slice")]

    def __str__(self) -> str:
        return f"{self.case} {self.role} {self.index}"

    @property
    def path(self) -> Path:
        """The PNG file."""
        return self.case.folder / self.file

    def renew_token(self) -> None:
        """Draws a new capability; the old address stops working."""
        self.token = secrets.token_urlsafe(32)
        self.expires = timezone.now() + timedelta(days=settings.PICTURE_LIFETIME_DAYS)
        self.revoked = False

    @property
    def opens(self) -> bool:
        """Whether the capability is still good."""
        return not self.revoked and timezone.now() < self.expires

    @property
    def url(self) -> str:
        """Absolute address that a browser can open without signing in."""
        return f"{settings.MASKLOOP_URL}/pictures/{self.token}.png"
