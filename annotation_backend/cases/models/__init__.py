"""The records behind a case's files."""

from annotation_backend.cases.models.case import (
    Case,
    Exclusion,
    ImportedMask,
    Patient,
    Series,
    VerdictOfRegistration,
    modality_of,
    title_of,
)
from annotation_backend.cases.models.damage import Damage
from annotation_backend.cases.models.ingest import ChosenSeries, Ingest, IngestOutcome, IngestPatient
from annotation_backend.cases.models.registration import (
    CaseImage,
    RedoState,
    Registration,
    RegistrationRedo,
    RegistrationVerdict,
)
from annotation_backend.cases.models.slice import Slice

__all__ = [
    "Case",
    "CaseImage",
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
    "modality_of",
    "title_of",
]
