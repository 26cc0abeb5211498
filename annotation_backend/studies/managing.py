"""What people of a study may do about each other: data managers see to annotators and radiologists, administrators to
everybody."""

from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.adapter import new_password_link
from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.second_factor import forget_second_factors
from annotation_backend.accounts.services import close_person, end_sessions, new_password_key
from annotation_backend.studies.models import STUDY_ROLES, Membership, Study
from annotation_backend.studies.people import give_role, has_role_in, take_all_roles, take_role
from annotation_backend.studies.signals import account_closed, role_taken
from datasets.errors import RejectedInput

BY_DATA_MANAGERS = (Role.RADIOLOGIST, Role.ANNOTATOR)
"""Roles that a data manager gives and takes in their study; who is data manager is for administrators to say."""


def roles_given_by(study: Study, person: User) -> tuple[Role, ...]:
    """The roles of a study that a person may give and take there; none for who does not manage it."""
    if person.is_active and person.is_administrator:
        return STUDY_ROLES
    return BY_DATA_MANAGERS if has_role_in(study, person, Role.DATA_MANAGER) else ()


def members_of(study: Study) -> QuerySet[Membership]:
    """The people of a study with their roles, in a fixed order."""
    return Membership.objects.filter(study=study).select_related("person").order_by("role", "person__username")


def change_role(study: Study, person: User, role: Role, *, by: User) -> None:
    """Gives a member of a study another role there.

    Raises:
        RejectedInput: The role they have or shall have is not for this person to give (``role-not-yours``).
    """
    with transaction.atomic():
        _require_theirs(study, person, by)
        require_givable(study, role, by)
        give_role(study, person, role, by=by)


def end_part(study: Study, person: User, *, by: User) -> None:
    """Ends a member's part in a study; their work keeps their name, addresses of pictures that they kept end.

    Raises:
        RejectedInput: Their role is not for this person to take (``role-not-yours``).
    """
    with transaction.atomic():
        _require_theirs(study, person, by)
        take_role(study, person, by=by)
        role_taken.send(sender=Study, study=study, person=person)


def close_account(person: User, *, by: User) -> None:
    """Ends a person's account: no password, no session, no role; their work keeps their name.

    Raises:
        RejectedInput: It is not for this person to do (``administrators-only``), it is their own account
            (``account-own``), or Maskloop speaks by it (``account-needed``).
    """
    _require_administrator(by)
    if person == by:
        raise RejectedInput("account-own", "This is your own account.", remedy="Ask another administrator.")
    with transaction.atomic():
        close_person(person)
        take_all_roles(person, by=by)
        account_closed.send(sender=User, person=person)


def new_password_link_for(person: User, *, by: User) -> str:
    """A link at which a person sets a new password, for an administrator to hand over; it opens once.

    Raises:
        RejectedInput: It is not for this person to do (``administrators-only``).
    """
    _require_administrator(by)
    return new_password_link(new_password_key(person))


def reset_second_factor(person: User, *, by: User) -> None:
    """Takes a person's second factors away, who lost them, and ends their sessions.

    Raises:
        RejectedInput: It is not for this person to do (``administrators-only``).
    """
    _require_administrator(by)
    forget_second_factors(person)
    end_sessions(person)


def require_givable(study: Study, role: Role, by: User) -> None:
    """Refuses a role that a person may not give.

    Raises:
        RejectedInput: They may not (``role-not-yours``).
    """
    if role not in roles_given_by(study, by):
        raise _not_yours()


def _require_theirs(study: Study, person: User, by: User) -> None:
    row = Membership.objects.select_for_update().filter(study=study, person=person).first()
    if row is None or Role(row.role) not in roles_given_by(study, by):
        raise _not_yours()


def _require_administrator(by: User) -> None:
    if not (by.is_active and by.is_administrator):
        raise RejectedInput(
            "administrators-only", "Only an administrator may do this.", remedy="Ask the administrator of Maskloop."
        )


def _not_yours() -> RejectedInput:
    return RejectedInput(
        "role-not-yours",
        "Only an administrator gives or takes this role.",
        remedy="Ask the administrator of Maskloop; load the page again to see the roles as they are now.",
    )
