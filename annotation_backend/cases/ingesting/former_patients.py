"""Patients of earlier versions keep their code where today's keys name them otherwise."""

from typing import TYPE_CHECKING

from annotation_backend.cases.ingesting.pseudonyms import pseudonym_of
from annotation_backend.cases.models import Patient
from annotation_backend.studies.models import Study

if TYPE_CHECKING:
    from curation.scanning.found_series import FolderScan


def carry_over(study: Study, scan: "FolderScan") -> None:
    """Gives patients whose key has changed since an earlier version their new pseudonym.

    Earlier versions could not read some names and gave several people one key. So a patient gets the new pseudonym only
    if all series of all their cases lie here under the one new key; otherwise a new patient is made, and the case that
    belongs to somebody else is named (``series-of-another``).
    """
    for key, former in scan.former_keys.items():
        patient = Patient.objects.filter(study=study, pseudonym=pseudonym_of(former)).first()
        if patient is None or Patient.objects.filter(study=study, pseudonym=pseudonym_of(key)).exists():
            continue
        references = {found.reference for found in scan.series if found.patient_key == key}
        if _series_of(patient) and _series_of(patient) <= references:
            patient.pseudonym = pseudonym_of(key)
            patient.save(update_fields=["pseudonym"])


def _series_of(patient: Patient) -> set[str]:
    return {row.evidence.get("series", "") for case in patient.cases.all() for row in case.series.all()}
