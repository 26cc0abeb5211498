"""Leaving a case out with a reason, and taking that back. An excluded case stays on its page and goes nowhere else."""

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case, Exclusion, Slice, Withdrawal
from annotation_backend.cases.signals import case_excluded, case_taken_back
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput

SUPERSEDED = "superseded by another choice of series"

DECIDERS = (Role.DATA_MANAGER, Role.RADIOLOGIST)
"""Roles that still see an excluded case's pictures, because they decide whether it comes back."""


class CaseClosed(RejectedInput):
    """Pictures of an excluded case were asked for by somebody who does not decide about exclusions."""


def exclude(case: Case, *, reason: str, person: User | None = None) -> Exclusion:
    """Leaves a case out of registration, export, publication, training and releases, and closes its pictures and tasks.

    Its pictures' addresses end at once; the apps above close their part (`signals.case_excluded`).

    Args:
        case: The case to exclude.
        reason: In a person's words, without anything about the patient.
        person: The person who excludes it; None for a command.

    Raises:
        RejectedInput: There is no reason (``reason-missing``), or the case is excluded already (``case-excluded``).
    """
    if not reason.strip():
        raise RejectedInput("reason-missing", "An exclusion needs a reason.", remedy="Say why, in a few words.")
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        if locked.exclusion is not None:
            raise RejectedInput("case-excluded", f"{case.code} is excluded already.", remedy="Nothing needs doing.")
        exclusion = Exclusion.objects.create(case=case, reason=reason.strip()[:200], person=person)
        Slice.objects.filter(case=case).update(revoked=True)
        case_excluded.send(sender=Case, case=locked)
    return exclusion


def take_back(case: Case, *, person: User | None = None) -> None:
    """Brings an excluded case back; its pictures get new addresses, the former ones stay closed.

    Raises:
        RejectedInput: The case is not excluded (``case-not-excluded``), or its patient was withdrawn, which is for good
            (``patient-withdrawn``).
    """
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        if Withdrawal.objects.filter(patient=locked.patient_id).exists():
            message = f"The patient of {case.code} was withdrawn, for good."
            raise RejectedInput("patient-withdrawn", message, remedy="Nothing: no case of theirs is used again.")
        ended = Exclusion.objects.filter(case=case, ended__isnull=True).update(ended=timezone.now(), ended_by=person)
        if not ended:
            raise RejectedInput("case-not-excluded", f"{case.code} is not excluded.", remedy="Nothing needs doing.")
        draw_new_addresses(locked)
        case_taken_back.send(sender=Case, case=locked)


def require_shown(case: Case, person: User | AnonymousUser) -> None:
    """Lets a signed-in person see a case's pictures.

    Raises:
        CaseClosed: It is excluded, and the person does not decide about that (``case-excluded``).
    """
    if case.exclusion is not None and not has_role_in(case.study, person, *DECIDERS):
        raise CaseClosed(
            "case-excluded",
            f"{case.code} is excluded; its pictures are closed.",
            remedy="A data manager can take the exclusion back.",
        )


def draw_new_addresses(case: Case) -> None:
    """Ends the addresses of a case's pictures; the new ones stand in its tasks once a job has written them there."""
    pictures = list(case.slices.all())
    for picture in pictures:
        picture.renew_token()
    Slice.objects.bulk_update(pictures, ["token", "expires", "revoked"], batch_size=200)
