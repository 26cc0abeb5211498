"""Patients of earlier versions under the keys of today: who came in rightly keeps their code."""

from typing import TYPE_CHECKING

from annotation_backend.cases.ingesting.pseudonyms import pseudonym_of
from annotation_backend.cases.models import Patient

if TYPE_CHECKING:
    from curation.scanning.found_series import FolderScan


def carry_over(scan: "FolderScan") -> None:
    """Gives patients whose key is another today their new pseudonym.

    Names that earlier versions could not read gave several people one key. So a patient is only taken for today's where
    all the series of all their cases lie here under the one new key; otherwise a new patient is made, and the case that
    is somebody else's is named (``series-of-another``).
    """
    for key, former in scan.former_keys.items():
        patient = Patient.objects.filter(pseudonym=pseudonym_of(former)).first()
        if patient is None or Patient.objects.filter(pseudonym=pseudonym_of(key)).exists():
            continue
        references = {found.reference for found in scan.series if found.patient_key == key}
        if _series_of(patient) and _series_of(patient) <= references:
            patient.pseudonym = pseudonym_of(key)
            patient.save(update_fields=["pseudonym"])


def _series_of(patient: Patient) -> set[str]:
    return {row.evidence.get("series", "") for case in patient.cases.all() for row in case.series.all()}
