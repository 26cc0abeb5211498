"""Release: a frozen dataset of approved cases; and what a study's patients and cases are called in its releases."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_backend.cases.models import Case, Patient
from annotation_backend.studies.models import Study
from datasets.release.codes import case_code, patient_code


class Release(models.Model):
    """A release folder in the data folder; its files never change."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="releases")
    name = models.CharField(max_length=60)
    version = models.CharField(max_length=30)
    digest = models.CharField(max_length=64)
    folder = models.CharField(max_length=200, help_text="Relative to the data folder")
    cases = models.ManyToManyField(Case, through="ReleasedCase", related_name="releases")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["study", "name", "version"], name="one_release_per_version")]

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def path(self) -> Path:
        """The release's folder."""
        return Path(settings.DATA_FOLDER) / self.folder


class ReleasedCase(models.Model):
    """A case in a release, under the code that it has there."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="held")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="released")
    code = models.CharField(max_length=64, help_text="What the release calls it; once the case's own code")

    class Meta:
        db_table = "publishing_release_cases"
        unique_together = [("release", "case")]

    def __str__(self) -> str:
        return f"{self.code} of {self.release}"


class ReleasePatient(models.Model):
    """The number of a patient in a study's releases: given once, and to nobody else when the patient is gone."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    patient = models.OneToOneField(Patient, null=True, on_delete=models.SET_NULL, related_name="+")
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="one_patient_per_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="patients_from_one"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        """What releases call the patient."""
        return patient_code(self.number)


class ReleaseCode(models.Model):
    """The number of a case among its patient's in a study's releases: given once, and to no other case."""

    patient = models.ForeignKey(ReleasePatient, on_delete=models.PROTECT, related_name="cases")
    case = models.OneToOneField(Case, null=True, on_delete=models.SET_NULL, related_name="+")
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["patient__number", "number"]
        constraints = [
            models.UniqueConstraint(fields=["patient", "number"], name="one_case_per_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="cases_from_one"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        """What releases call the case."""
        return case_code(self.patient.code, self.number)
