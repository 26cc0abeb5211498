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
from annotation_backend.cases.models.image import CaseImage
from annotation_backend.cases.models.ingest import (
    ChosenSeries,
    Ingest,
    IngestOutcome,
    IngestPatient,
    published_sources,
)
from annotation_backend.cases.models.registration import (
    RedoState,
    Registration,
    RegistrationRedo,
    RegistrationVerdict,
)
from annotation_backend.cases.models.slice import Slice
from annotation_backend.cases.models.withdrawal import Withdrawal

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
    "Withdrawal",
    "modality_of",
    "published_sources",
    "title_of",
]
