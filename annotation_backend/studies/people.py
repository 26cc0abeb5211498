"""Who may see a study, and as what."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import email_of
from annotation_backend.studies.models import STUDY_ROLES, Membership, MembershipChange, Study
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


def make_administrator(person: User, *, by: User | None = None) -> None:
    """Lets a person see to the installation and all its studies.

    Args:
        person: The person.
        by: Who says so; None for a command.
    """
    with transaction.atomic():
        if not person.is_administrator:
            MembershipChange.objects.create(person=person, role=Role.ADMINISTRATOR, by=by)
        person.is_administrator = True
        person.save(update_fields=["is_administrator"])


def add_first_accounts(study: Study) -> None:
    """Gives the first accounts their roles in a study; they have one only where somebody gave it, as everybody has."""
    for role in STUDY_ROLES:
        for person in User.objects.filter(username=email_of(role)):
            give_role(study, person, role)


def give_role(study: Study, person: User, role: Role, *, by: User | None = None) -> Membership:
    """Gives a person a role in a study, in place of one that they had there; what changes is recorded.

    Args:
        study: The study.
        person: The person.
        role: One of `STUDY_ROLES`; an administrator needs none.
        by: Who gives it; None for a command.
    """
    with _one_at_a_time(person):
        row, is_new = Membership.objects.select_for_update().get_or_create(
            study=study, person=person, defaults={"role": role}
        )
        if is_new or row.role != role:
            _note(row, role, by, former="" if is_new else row.role)
            row.role = role
            row.save(update_fields=["role"])
    role_changed.send(sender=Membership, study=study, person=person)
    return row


def take_role(study: Study, person: User, *, by: User | None = None) -> bool:
    """Ends a person's part in a study; their work keeps their name.

    Returns:
        Whether they had one.
    """
    return _taken(Membership.objects.filter(study=study), person, by) > 0


def take_all_roles(person: User, *, by: User | None = None) -> None:
    """Ends a person's part in every study, so that an account that is opened again begins without any."""
    _taken(Membership.objects.all(), person, by)


def _taken(rows: QuerySet[Membership], person: User, by: User | None) -> int:
    """Takes a person's roles, notes who did, and tells the apps above."""
    with _one_at_a_time(person):
        ended = list(rows.filter(person=person).select_related("study").select_for_update(of=("self",)))
        for row in ended:
            _note(row, "", by, former=row.role)
            row.delete()
    for row in ended:
        role_changed.send(sender=Membership, study=row.study, person=person)
    return len(ended)


def _note(row: Membership, role: str, by: User | None, *, former: str) -> None:
    MembershipChange.objects.create(study_id=row.study_id, person_id=row.person_id, former=former, role=role, by=by)


@contextmanager
def _one_at_a_time(person: User) -> Iterator[None]:
    """Whoever gives the person work waits, and sees the roles that they have then."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
        yield
