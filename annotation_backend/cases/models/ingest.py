"""Ingest: one run over a folder, its outcome for each patient, and the series that people chose."""

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models.case import Case, Patient
from annotation_backend.studies.models import Study


class Ingest(models.Model):
    """One run over a folder, which is not written down because paths hold names."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="ingests")
    file_count = models.PositiveIntegerField()
    findings = models.JSONField(default=list, help_text="Of files; what concerns a patient is with the patient")
    label_values = models.JSONField(default=dict, help_text="What a person said that the values of mask files mean")
    source = models.JSONField(
        default=dict, help_text="Of a published dataset: layout, title, licence, citation and digest"
    )
    started = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"ingest {self.pk}"


def published_sources(study: Study) -> list[dict[str, str]]:
    """The published datasets that came into a study, each by its newest import: what `Ingest.source` holds."""
    rows = Ingest.objects.filter(study=study).exclude(source={}).order_by("pk").values_list("source", flat=True)
    return list({row["title"]: row for row in rows}.values())


class IngestOutcome(models.TextChoices):
    """IngestOutcome of an ingest for a patient."""

    NEW = "new", "New case"
    KNOWN = "known", "Known case"
    UNDECIDED = "undecided", "A person has to choose"
    REFUSED = "refused", "Refused"


class IngestPatientQuerySet(QuerySet["IngestPatient"]):
    """Finds what was seen last."""

    def newest(self) -> "IngestPatientQuerySet":
        """The rows of the newest ingest that saw the patient: one, or one for each case that a source tells apart."""
        newer = IngestPatient.objects.filter(patient=OuterRef("patient"), ingest__gt=OuterRef("ingest"))
        return self.filter(~Exists(newer))


class IngestPatient(models.Model):
    """One patient of one ingest, or one of several cases of theirs: which series were considered, chosen, and why."""

    ingest = models.ForeignKey(Ingest, on_delete=models.CASCADE, related_name="patients")
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="ingests")
    case = models.ForeignKey(Case, null=True, on_delete=models.SET_NULL, related_name="ingests")
    visit = models.PositiveSmallIntegerField(
        default=0, help_text="Which of several cases of the patient that the source tells apart, from 1; 0 for all"
    )
    outcome = models.CharField(max_length=10, choices=IngestOutcome.choices)
    reference = models.CharField(max_length=80, help_text="How the findings name the patient")
    considered = models.JSONField(default=list, help_text="Each series: reference, what it shows, points and reasons")
    chosen = models.JSONField(default=dict, help_text="Per role: reference, points, reasons, runner-up")
    findings = models.JSONField(default=list)

    objects = IngestPatientQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["ingest", "patient", "visit"], name="one_row_per_visit_and_ingest")
        ]

    def __str__(self) -> str:
        return f"{self.patient} in {self.ingest}"


class ChosenSeries(models.Model):
    """The series that a person chose for a role of a patient; the newest counts in every later ingest."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="chosen_series")
    role = models.CharField(max_length=16)
    reference = models.CharField(max_length=40, help_text="The series' short name in the report")
    reason = models.CharField(max_length=200, blank=True)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.patient} {self.role}: {self.reference}"
