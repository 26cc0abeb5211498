"""The records behind a case's files."""

from annotation_backend.cases.models.case import Case, Exclusion, ImportedMask, Patient, Series
from annotation_backend.cases.models.damage import Damage
from annotation_backend.cases.models.ingest import ChosenSeries, Ingest, IngestOutcome, IngestPatient
from annotation_backend.cases.models.registration import (
    RedoState,
    Registration,
    RegistrationRedo,
    RegistrationVerdict,
    VerdictOfRegistration,
)
from annotation_backend.cases.models.slice import Slice

__all__ = [
    "Case",
    "ChosenSeries",
    "Damage",
    "Exclusion",
    "ImportedMask",
    "Ingest",
    "IngestOutcome",
    "IngestPatient",
    "Patient",
    "RedoState",
    "Registration",
    "RegistrationRedo",
    "RegistrationVerdict",
    "Series",
    "Slice",
    "VerdictOfRegistration",
]
