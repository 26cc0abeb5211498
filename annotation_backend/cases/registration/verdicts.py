"""A person's verdict on a registration, which counts before the automatic one, and the queue of doubts."""

from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Registration, RegistrationVerdict, VerdictOfRegistration
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput


def decide_registration(
    case: Case, person: User, *, verdict: VerdictOfRegistration, record_sha256: str, comment: str = ""
) -> RegistrationVerdict:
    """Records a person's verdict on the registration that was shown.

    Args:
        case: The case that was looked at.
        person: The person who looked.
        verdict: Accept, look or reject.
        record_sha256: The registration that the person saw.
        comment: Why; needed unless it is accepted.

    Raises:
        RejectedInput: The case has another registration by now (``registration-superseded``), none
            (``case-not-registered``), or the comment is missing (``comment-missing``).
    """
    if verdict is not VerdictOfRegistration.ACCEPT and not comment.strip():
        raise RejectedInput("comment-missing", "This verdict needs a comment.", remedy="Say what is wrong.")
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)  # a verdict on its mask asks for this one
        registration = Registration.objects.select_for_update().filter(case=case).first()
        if registration is None:
            raise RejectedInput(
                "case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`."
            )
        if registration.record_sha256 != record_sha256:
            raise RejectedInput(
                "registration-superseded",
                f"{case.code} was registered again in the meantime.",
                remedy="Load the page and look at it.",
            )
        registration.verdict = verdict
        registration.save(update_fields=["verdict"])
        return RegistrationVerdict.objects.create(
            case=case, record_sha256=record_sha256, verdict=verdict, comment=comment.strip()[:400], person=person
        )


def registrations(study: Study, verdict: str) -> QuerySet[Registration]:
    """Registrations of a study's cases in use with an effective verdict, in the order of the cases; "": unchecked."""
    rows = Registration.objects.filter(case__in=Case.objects.in_use().filter(study=study), verdict=verdict)
    return rows.select_related("case__patient").order_by("case__code")
