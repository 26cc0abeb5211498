"""Who may see a study, and as what."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import email_of
from annotation_backend.studies.models import STUDY_ROLES, Membership, Study
from annotation_backend.studies.signals import role_changed

Asking = User | AnonymousUser


def studies_of(person: Asking) -> QuerySet[Study]:
    """The studies that are there for a person: an administrator's are all."""
    if not isinstance(person, User) or not person.is_active:
        return Study.objects.none()
    if person.is_administrator:
        return Study.objects.all()
    return Study.objects.filter(memberships__person=person)


def roles_in(study: Study, person: Asking) -> frozenset[Role]:
    """A person's roles in a study; none where the study is not there for them.

    An administrator may do what a data manager may, and what a role that they were given in the study allows.
    """
    if not isinstance(person, User) or not person.is_active:
        return frozenset()
    given = {
        Role(role) for role in Membership.objects.filter(study=study, person=person).values_list("role", flat=True)
    }
    return frozenset({*given, Role.ADMINISTRATOR, Role.DATA_MANAGER} if person.is_administrator else given)


def role_in(study: Study, person: Asking) -> Role | None:
    """A person's role in a study, the first where they have several; None where the study is not there for them."""
    roles = roles_in(study, person)
    return next((role for role in Role if role in roles), None)


def has_role_in(study: Study, person: Asking, *roles: Role) -> bool:
    """Whether a person has one of `roles` in a study; an administrator may do what a data manager may."""
    return not roles_in(study, person).isdisjoint(roles)


def people_in(study: Study, *roles: Role) -> QuerySet[User]:
    """The people with one of `roles` in a study; with any, where none is named."""
    return User.objects.filter(memberships__study=study, memberships__role__in=roles or STUDY_ROLES)


def names_in(study: Study) -> Mapping[int, str]:
    """What each member of a study is called on its pages, by their number: their role and the number."""
    members = Membership.objects.filter(study=study)
    return {row.person_id: f"{row.get_role_display()} {row.person_id}" for row in members}


def roles_of(person: User) -> dict[str, Role]:
    """A person's role in each study that gave them one, by the study's name."""
    rows = person.memberships.select_related("study").order_by("study__name")
    return {row.study.name: Role(row.role) for row in rows}


def is_administrator(person: User) -> bool:
    """Whether every study is there for a person, whatever roles they were given."""
    return person.is_administrator


def make_administrator(person: User) -> None:
    """Lets a person see to the installation and all its studies."""
    person.is_administrator = True
    person.save(update_fields=["is_administrator"])


def add_first_accounts(study: Study) -> None:
    """Gives the first accounts their roles in a study; they have one only where somebody gave it, as everybody has."""
    for role in STUDY_ROLES:
        for person in User.objects.filter(username=email_of(role)):
            give_role(study, person, role)


def give_role(study: Study, person: User, role: Role) -> Membership:
    """Gives a person a role in a study, in place of one that they had there.

    Args:
        study: The study.
        person: The person.
        role: One of `STUDY_ROLES`; an administrator needs none.
    """
    with _one_at_a_time(person):
        given = Membership.objects.update_or_create(study=study, person=person, defaults={"role": role})[0]
    role_changed.send(sender=Membership, study=study, person=person)
    return given


def take_role(study: Study, person: User) -> bool:
    """Ends a person's part in a study; their work keeps their name.

    Returns:
        Whether they had one.
    """
    with _one_at_a_time(person):
        count = Membership.objects.filter(study=study, person=person).delete()[0]
    if count:
        role_changed.send(sender=Membership, study=study, person=person)
    return bool(count)


def take_all_roles(person: User) -> None:
    """Ends a person's part in every study, so that an account that is opened again begins without any."""
    for membership in person.memberships.select_related("study"):
        take_role(membership.study, person)


@contextmanager
def _one_at_a_time(person: User) -> Iterator[None]:
    """Whoever gives the person work waits, and sees the roles that they have then."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
        yield
