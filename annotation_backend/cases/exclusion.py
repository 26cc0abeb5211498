"""Leaving a case out with a reason, and taking that back. An excluded case stays on its page and goes nowhere else."""

from django.db import transaction
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Exclusion
from datasets.errors import RejectedInput

SUPERSEDED = "superseded by another choice of series"


def exclude(case: Case, *, reason: str, person: User | None = None) -> Exclusion:
    """Leaves a case out of registration, export, publication, training and releases.

    Args:
        case: Which.
        reason: In a person's words, without anything about the patient.
        person: Who says so; None for a command.

    Raises:
        RejectedInput: There is no reason (``reason-missing``), or the case is excluded already (``case-excluded``).
    """
    if not reason.strip():
        raise RejectedInput("reason-missing", "An exclusion needs a reason.", remedy="Say why, in a few words.")
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        if locked.exclusion is not None:
            raise RejectedInput("case-excluded", f"{case.code} is excluded already.", remedy="Nothing is to be done.")
        return Exclusion.objects.create(case=case, reason=reason.strip()[:200], person=person)


def take_back(case: Case, *, person: User | None = None) -> None:
    """Brings an excluded case back.

    Raises:
        RejectedInput: It is not excluded (``case-not-excluded``).
    """
    ended = Exclusion.objects.filter(case=case, ended__isnull=True).update(ended=timezone.now(), ended_by=person)
    if not ended:
        raise RejectedInput("case-not-excluded", f"{case.code} is not excluded.", remedy="Nothing is to be done.")
