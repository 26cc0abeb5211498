"""Withdrawing a patient: all cases are excluded for good, and no case of theirs comes in again."""

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case, Patient, Withdrawal
from annotation_backend.cases.signals import patient_withdrawn
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

WITHDRAWN = "The patient was withdrawn."
"""The reason of the cases' exclusions; the patient's own stays with data managers."""

_LONGEST_REASON = 200


def patient_called(code: str, *, study: Study | None = None) -> Patient:
    """The patient of a code.

    Raises:
        RejectedInput: There is none in the study, or in any where none is said (``patient-unknown``).
    """
    patients = Patient.objects.select_related("study").filter(code=code)
    patient = (patients if study is None else patients.filter(study=study)).first()
    if patient is None:
        message = "There is no patient of this code."
        raise RejectedInput("patient-unknown", message, remedy="The pages of the cases name their patients.")
    return patient


def withdraw(patient: Patient, *, reason: str, person: User | None = None) -> Withdrawal:
    """Withdraws a patient: excludes all cases, closes their pictures and tasks, and tells the apps above.

    Whoever builds a release of the study waits, and sees it; or was first, and is seen.

    Args:
        patient: Whom.
        reason: For people of the study, without anything that tells who it is.
        person: Who says so; None for a command.

    Raises:
        RejectedInput: As `require_withdrawable`.
    """
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=patient.study_id)
        patient = Patient.objects.select_for_update().get(pk=patient.pk)
        reason = require_withdrawable(patient, reason)
        row = Withdrawal.objects.create(patient=patient, reason=reason, person=person)
        for case in Case.objects.filter(patient=patient).order_by("pk"):
            if case.exclusion is None:
                exclude(case, reason=WITHDRAWN, person=person)
        patient_withdrawn.send(sender=Patient, withdrawal=row)
    return row


def require_withdrawable(patient: Patient, reason: str) -> str:
    """The reason without blanks around it.

    Raises:
        RejectedInput: There is no reason in one short line (``reason-missing``), or the patient was withdrawn already
            (``patient-withdrawn``).
    """
    reason = reason.strip()
    if not reason or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        message = f"A withdrawal needs a reason in one line of at most {_LONGEST_REASON} characters."
        raise RejectedInput("reason-missing", message, remedy="Say why, in a few words without names or dates.")
    require_not_withdrawn(patient)
    return reason


def require_not_withdrawn(patient: Patient) -> None:
    """Refuses a patient who was withdrawn.

    Raises:
        RejectedInput: ``patient-withdrawn``.
    """
    if Withdrawal.objects.filter(patient=patient).exists():
        raise RejectedInput("patient-withdrawn", f"{patient.code} was withdrawn, for good.", remedy="Nothing to do.")


def withdrawn_again(reference: str) -> Finding:
    """What an ingest says of images of a withdrawn patient, which it leaves where they are."""
    message = "The patient was withdrawn from the study; nothing of these images is brought in."
    return Finding(Level.INFO, "patient-withdrawn", message, "Take them out of the folder.", reference)
