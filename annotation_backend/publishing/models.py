"""Release: a frozen dataset of approved cases; what patients and cases are called in it; Erratum: a fault in one."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Patient
from annotation_backend.studies.models import Study
from datasets.release.codes import case_code, patient_code
from datasets.release.correcting.errata_file import ErratumState
from datasets.release.correcting.erratum_report import MOST_TEXT, PART_WORDS, FaultyPart


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


class Erratum(models.Model):
    """A fault that a reader found in a release; what has become of it say its steps."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(help_text="Of the study's errata, from 1")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=64, help_text="What the release calls the case")
    part = models.CharField(max_length=8, choices=[(part.value, words) for part, words in PART_WORDS.items()])
    label = models.CharField(max_length=100, blank=True)
    slices = models.JSONField(default=list, help_text="Indices of the slices that are meant; none for the whole case")
    text = models.CharField(max_length=MOST_TEXT, help_text="In the reader's words")
    mask_voxels = models.CharField(max_length=64, help_text="SHA-256 of the voxels of the mask that the reader saw")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="one_erratum_per_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="errata_from_one"),
        ]

    def __str__(self) -> str:
        return f"erratum {self.number}"

    @property
    def faulty_part(self) -> FaultyPart:
        """What of the case is wrong."""
        return FaultyPart(self.part)

    @property
    def last_step(self) -> "ErratumStep":
        """The newest step; the first one is the report."""
        return list(self.steps.all())[-1]

    @property
    def state(self) -> ErratumState:
        """What has become of it."""
        return ErratumState(self.last_step.state)


class ErratumStep(models.Model):
    """A step of an erratum on its way, with who took it; rows are never changed, and each state comes once."""

    erratum = models.ForeignKey(Erratum, on_delete=models.PROTECT, related_name="steps")
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in ErratumState])
    words = models.CharField(max_length=MOST_TEXT, blank=True, help_text="For everybody: what is wrong, or why not")
    release = models.ForeignKey(
        Release, null=True, on_delete=models.PROTECT, related_name="+", help_text="The version that puts it right"
    )
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["erratum", "state"], name="each_state_once"),
            models.CheckConstraint(
                condition=Q(state="corrected", release__isnull=False)
                | (~Q(state="corrected") & Q(release__isnull=True)),
                name="corrected_in_a_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.erratum}: {self.state}"
