"""Withdrawing a patient as a whole: out of use and of later versions, with tombstones, named where models learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Patient, Withdrawal
from annotation_backend.cases.withdrawal import require_withdrawable, withdraw
from annotation_backend.learning.models import Snapshot
from annotation_backend.publishing.correcting.beside_releases import tell_beside
from annotation_backend.publishing.correcting.withdrawn import releases_with
from annotation_backend.publishing.models import Release
from annotation_backend.registry.models import Model


@dataclass(frozen=True)
class WithdrawnPatient:
    """What a withdrawal concerns.

    Args:
        patient: Who was withdrawn, by the study's own code.
        cases: The cases, by the study's own codes.
        releases: Versions that hold them; beside each lies a tombstone.
        snapshots: Frozen lists of masks that hold them.
        models: Models that learned from them.
    """

    patient: str
    cases: tuple[str, ...]
    releases: tuple[Release, ...]
    snapshots: tuple[Snapshot, ...]
    models: tuple[Model, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "patient": self.patient,
            "cases": list(self.cases),
            "releases": list(map(str, self.releases)),
            "snapshots": [snapshot.digest for snapshot in self.snapshots],
            "models": list(map(str, self.models)),
        }


def withdraw_patient(patient: Patient, *, reason: str, person: User | None = None) -> WithdrawnPatient:
    """Withdraws a patient, and lays a tombstone beside each version that holds a case of theirs.

    Args:
        patient: Whom.
        reason: For people of the study; it goes into no file.
        person: Who says so; None for a command.

    Raises:
        RejectedInput: There is no reason, or the patient was withdrawn already.
    """
    withdraw(patient, reason=reason, person=person)
    tell_beside(patient.study)
    return concerned(patient)


def planned_withdrawal(patient: Patient, *, reason: str) -> WithdrawnPatient:
    """What a withdrawal would concern; changes nothing.

    Raises:
        RejectedInput: As `withdraw_patient`.
    """
    require_withdrawable(patient, reason)
    return concerned(patient)


def concerned(patient: Patient) -> WithdrawnPatient:
    """The versions, snapshots and models that hold a patient, withdrawn or not."""
    cases = tuple(Case.objects.filter(patient=patient).order_by("code").values_list("code", flat=True))
    snapshots = [one for one in Snapshot.objects.filter(study=patient.study) if set(one.cases) & set(cases)]
    digests = [snapshot.digest for snapshot in snapshots]
    models = Model.objects.filter(study=patient.study, snapshot_digest__in=digests).order_by("pk")
    return WithdrawnPatient(patient.code, cases, tuple(releases_with(patient)), tuple(snapshots), tuple(models))


def withdrawals(patients: Sequence[Patient]) -> list[tuple[Withdrawal, WithdrawnPatient]]:
    """The withdrawals of patients, the newest first, with what each concerns."""
    rows = Withdrawal.objects.filter(patient__in=patients).select_related("patient__study", "person").order_by("-pk")
    return [(row, concerned(row.patient)) for row in rows]
