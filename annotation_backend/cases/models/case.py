"""Patient, Case, Series and the masks that came with them: the records behind a case's files."""

from pathlib import Path

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.signals import annotated_asked, published_asked
from annotation_backend.studies.models import Study
from datasets.study.case import SeriesRole, TissueType, annotated_role
from datasets.study.protocol import UNKNOWN_TISSUE, Protocol


class Patient(models.Model):
    """A person whose images came into a study, known there by a code and a keyed hash of the hospital's identifier."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="patients")
    code = models.CharField(max_length=60, unique=True)
    pseudonym = models.CharField(max_length=64, help_text="HMAC-SHA-256; the key stays in the data folder")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "pseudonym"], name="one_patient_per_pseudonym")]

    def __str__(self) -> str:
        return self.code


class CaseQuerySet(QuerySet["Case"]):
    """Finds the cases that count."""

    def not_excluded(self) -> "CaseQuerySet":
        """Cases that are not excluded."""
        return self.filter(~Exists(Exclusion.objects.filter(case=OuterRef("pk"), ended__isnull=True)))

    def in_use(self) -> "CaseQuerySet":
        """Cases that people work on: not excluded, and not the doctor's rehearsal."""
        return self.not_excluded().filter(is_rehearsal=False)

    def sound(self) -> "CaseQuerySet":
        """Cases in use whose registration is not in doubt or rejected: only these are learned from and released."""
        return self.in_use().exclude(registration__verdict__in=("look", "reject"))


class Case(models.Model):
    """One tumour of one patient: a T1 and a T2 that end up on one grid."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="cases")
    code = models.CharField(max_length=60, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    tissue_type = models.CharField(max_length=30, default=UNKNOWN_TISSUE)
    anatomical_site = models.CharField(max_length=80, blank=True)
    source_sha256 = models.CharField(max_length=64, help_text="Digest of all series' source digests")
    is_rehearsal = models.BooleanField(default=False, help_text="The doctor's own; never reviewed, learned or released")
    findings = models.JSONField(default=list)
    picture_plane = models.JSONField(null=True, help_text="How a picture's pixel goes back to its voxel")
    pictured_sha256 = models.CharField(max_length=64, blank=True, help_text="The registration that the slices show")
    created = models.DateTimeField(auto_now_add=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["study", "source_sha256"], name="one_case_per_source")]

    def __str__(self) -> str:
        return self.code

    @property
    def folder(self) -> Path:
        """Folder of the case's files."""
        return self.study.folder / "cases" / self.code

    @property
    def protocol(self) -> Protocol:
        """Its study's protocol."""
        return self.study.protocol

    @property
    def tissue_words(self) -> str:
        """The tissue type as pages say it."""
        return self.tissue_type.replace("_", " ").capitalize()

    @property
    def drawn_role(self) -> str:
        """The image that annotators draw on."""
        return self.protocol.drawn_role(self.tissue_type)

    @property
    def annotated_role(self) -> SeriesRole:
        """The sequence that annotators draw on."""
        return annotated_role(TissueType(self.tissue_type))

    @property
    def is_registered(self) -> bool:
        """Whether T1 and T2 lie on one grid."""
        return hasattr(self, "registration")

    @property
    def exclusion(self) -> "Exclusion | None":
        """Why the case is left out; None while it is in use."""
        return next((row for row in self.exclusions.all() if row.ended is None), None)

    @property
    def is_annotated(self) -> bool:
        """Whether it ever had an annotation, also a deleted one, which can be restored."""
        return any(answer for _, answer in annotated_asked.send(sender=Case, case=self))

    @property
    def is_published(self) -> bool:
        """Whether its slices ever became tasks that annotators draw on."""
        return any(answer for _, answer in published_asked.send(sender=Case, case=self))


class Exclusion(models.Model):
    """A case left out with a reason, until somebody takes that back; rows are never deleted."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="exclusions")
    reason = models.CharField(max_length=200)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(ended__isnull=True), name="one_open_exclusion")
        ]

    def __str__(self) -> str:
        return f"exclusion of {self.case}"


class Series(models.Model):
    """One imported volume with its role in the case, on its own grid."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="series")
    role = models.CharField(max_length=16)
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    source_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    evidence = models.JSONField(default=dict, help_text="Header facts and the reasons for the choice")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_series_per_role")]

    def __str__(self) -> str:
        return f"{self.case} {self.role}"

    @property
    def title(self) -> str:
        """What the image is called on pages."""
        protocol = self.case.protocol
        return protocol.image(self.role).title if self.role in protocol.roles else self.role

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
