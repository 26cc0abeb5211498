"""Invitations to a study: a link for whoever has an e-mail address, that gives a role, and an account to who has none.

Who invites learns nothing of whether an account exists; the person alone sees that, behind the link.
"""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import now

from annotation_backend.accounts.adapter import send_soon
from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import active_person, create_person
from annotation_backend.accounts.spelling import one_spelling
from annotation_backend.studies.managing import require_givable, roles_given_by
from annotation_backend.studies.models import Invitation, Membership, Study
from annotation_backend.studies.people import give_role
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes

LASTS = timedelta(days=14)


def invite(study: Study, email: str, role: Role, *, by: User) -> str:
    """Invites whoever has an e-mail address to a study, in place of an earlier invitation.

    Args:
        study: The study.
        email: In whatever spelling.
        role: The role that waits for them.
        by: Who invites, and may give this role.

    Returns:
        The link; where e-mail is on, it was sent as well.

    Raises:
        RejectedInput: No e-mail address (``email``), a role that is not theirs to give (``role-not-yours``), or a
            member already (``member-already``).
    """
    email = one_spelling(email)
    try:
        validate_email(email)
    except ValidationError as error:
        raise RejectedInput(
            "email", "This is no e-mail address.", remedy="Give one, e.g. anna@hospital.org."
        ) from error
    require_givable(study, role, by)
    if Membership.objects.filter(study=study, person__username__iexact=email).exists():
        raise _member()
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        open_ones(study).filter(email=email).update(ended_at=now())
        made = Invitation.objects.create(
            study=study, email=email, role=role, by=by, expires=now() + LASTS, token_sha256=_digest(token)
        )
    link = settings.MASKLOOP_URL + reverse("invitation", args=[token])
    if settings.EMAIL_IS_ON:
        words = {"invitation": made, "link": link, "days": LASTS.days}
        body = render_to_string("studies/invitation_email.txt", words)
        send_soon(EmailMessage("Maskloop: an invitation", body, to=[email]))
    return link


def open_ones(study: Study | None = None) -> QuerySet[Invitation]:
    """Invitations that wait: of a study, or all."""
    rows = Invitation.objects.filter(ended_at__isnull=True, expires__gt=now()).select_related("study", "by")
    return rows if study is None else rows.filter(study=study)


def withdraw(invitation: Invitation) -> None:
    """Ends an invitation; safe to run twice."""
    Invitation.objects.filter(pk=invitation.pk, ended_at__isnull=True).update(ended_at=now())


def invitation_of(token: str) -> Invitation | None:
    """The invitation that a link opens; None where it was used or withdrawn, is too old, or who invited may no more."""
    found = open_ones().filter(token_sha256=_digest(token)).first()
    return found if found is not None and _holds(found) else None


def accept(invitation: Invitation, person: User) -> None:
    """Gives a person the role that waits for them; of two at once, one.

    Raises:
        RejectedInput: The invitation is for another address (``invitation-other``), ended meanwhile
            (``invitation-ended``), or they have a role already (``member-already``).
    """
    if one_spelling(person.username) != invitation.email or not person.is_active:
        raise RejectedInput(
            "invitation-other",
            "This invitation is for another address than the one you are signed in with.",
            remedy="Sign out, and open the link again.",
        )
    with transaction.atomic():
        ended = Invitation.objects.filter(pk=invitation.pk, ended_at__isnull=True)
        if not ended.update(ended_at=now(), accepted_by=person):
            raise RejectedInput(
                "invitation-ended", "This invitation was used up or withdrawn.", remedy="Ask for another one."
            )
        if Membership.objects.filter(study=invitation.study, person=person).exists():
            raise _member()
        give_role(invitation.study, person, Role(invitation.role), by=invitation.by)


def join(invitation: Invitation, password: str | None) -> User:
    """Makes the account of an invited person who has none, with the role that waits for them.

    Args:
        invitation: One that is open.
        password: Valid; None for who signs in elsewhere only.

    Raises:
        RejectedInput: As `accept`; there is an account (``account-exists``); or an administrator closed it, and none
            invites (``account-closed``).
    """
    with transaction.atomic():
        Invitation.objects.select_for_update().get(pk=invitation.pk)  # two at once: the second finds the account
        known = User.objects.filter(username__iexact=invitation.email).first()
        if known is not None and not known.is_active and not invitation.by.is_administrator:
            raise RejectedInput(
                "account-closed", "This account was closed.", remedy="Ask the administrator of Maskloop to invite you."
            )
        person, _ = create_person(invitation.email)
        person.set_password(password)  # none that works for None
        if person.label_studio_id is None:
            person.draws_since = now()  # an account of this address may be there, with somebody else's password
        person.save(update_fields=["password", "draws_since"])
        accept(invitation, person)
    return person


def expected(email: str) -> User | None:
    """Makes the account of somebody who proved elsewhere to have an address, where an invitation waits for it."""
    waiting = open_ones().filter(email=email)
    invitation = next((one for one in waiting if _holds(one)), None)
    if invitation is None or active_person(email) is not None:
        return None
    try:
        return join(invitation, None)
    except RejectedInput:
        return None


def _holds(invitation: Invitation) -> bool:
    return Role(invitation.role) in roles_given_by(invitation.study, invitation.by)


def _digest(token: str) -> str:
    return sha256_of_bytes(token.encode("utf-8", "replace"))


def _member() -> RejectedInput:
    return RejectedInput(
        "member-already", "This person has a role in the study.", remedy="Change it in the list of people."
    )
