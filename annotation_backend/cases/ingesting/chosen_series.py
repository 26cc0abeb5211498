"""The series that people chose, which every later ingest takes before its own judgement."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.cases.ingesting.pseudonyms import pseudonym_of
from annotation_backend.cases.models import ChosenSeries, IngestPatient, Patient
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

if TYPE_CHECKING:
    from curation.pairing.pairing import Choices


def choose_series(patient: Patient, chosen: Mapping[str, str], *, person: User | None = None, reason: str = "") -> None:
    """Writes down which series are a patient's images; the next ingest uses them.

    Args:
        patient: The patient whose series they are.
        chosen: Role to the short name of a series that the last ingest considered; one role or more.
        person: The person who chose; None for a command.
        reason: In a person's words, without anything about the patient.

    Raises:
        RejectedInput: Nothing or one series for two is chosen (``choice-incomplete``, ``choice-twice``), the protocol
            has no such image (``role-unknown``), or the last ingest saw no such series (``series-unknown``).
    """
    require_known(patient, chosen)
    with transaction.atomic():
        for role, reference in chosen.items():
            ChosenSeries.objects.create(
                patient=patient, role=str(role), reference=reference, person=person, reason=reason.strip()[:200]
            )


def require_known(patient: Patient, chosen: Mapping[str, str]) -> None:
    """Refuses a choice that cannot be recorded.

    Raises:
        RejectedInput: As `choose_series`.
    """
    if not chosen:
        raise RejectedInput("choice-incomplete", "No series was chosen.", remedy="Choose at least one.")
    protocol = patient.study.protocol
    for role in chosen:
        if role not in protocol.roles:
            raise RejectedInput(
                "role-unknown",
                f"The protocol {protocol.name} has no such image.",
                remedy=f"Name one of {', '.join(protocol.roles)}.",
            )
    if len(set(chosen.values())) < len(chosen):
        raise RejectedInput(
            "choice-twice", "The same series was chosen for two images.", remedy="Choose another for one of them."
        )
    known = {series["reference"] for series in considered_series(patient)}
    for role, reference in chosen.items():
        if reference not in known:
            raise RejectedInput(
                "series-unknown",
                f"The last ingest of {patient.code} saw no series of the name given for {protocol.image(role).title}.",
                remedy="Take a name from the patient's page.",
            )


def considered_series(patient: Patient) -> list[dict[str, Any]]:
    """The series that the patient's last ingest considered, as `ConsideredSeries.as_dict` gives them."""
    rows = IngestPatient.objects.filter(patient=patient).newest().order_by("visit")
    return [series for row in rows for series in row.considered]


def chosen_by_people(patient: Patient) -> dict[str, ChosenSeries]:
    """The choices that count: the newest of each role."""
    return {row.role: row for row in patient.chosen_series.select_related("person").order_by("pk")}


def choices_among(study: Study, patient_keys: Iterable[str]) -> "Choices":
    """Series that people chose for patients of a folder: patient key to role to series.

    Args:
        study: The study whose patients they are.
        patient_keys: As the studies carry them; hashed here, and neither stored nor shown.
    """
    rows = ChosenSeries.objects.filter(patient__study=study).select_related("patient").order_by("pk")
    if not rows.exists():
        return {}
    keys = {pseudonym_of(key): key for key in patient_keys}
    chosen: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.patient.pseudonym in keys:
            chosen.setdefault(keys[row.patient.pseudonym], {})[row.role] = row.reference
    return chosen
