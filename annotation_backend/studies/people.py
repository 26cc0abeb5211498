"""Who may see a study, and as what."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import email_of
from annotation_backend.studies.models import Membership, Study


def studies_of(person: User | AnonymousUser) -> QuerySet[Study]:
    """The studies that are there for a person: an administrator's are all."""
    if not isinstance(person, User) or not person.is_active:
        return Study.objects.none()
    if person.role == Role.ADMINISTRATOR:
        return Study.objects.all()
    return Study.objects.filter(memberships__person=person)


def role_in(study: Study, person: User | AnonymousUser) -> Role | None:
    """A person's role in a study; None where the study is not there for them."""
    if not isinstance(person, User) or not person.is_active:
        return None
    if person.role == Role.ADMINISTRATOR:
        return Role.ADMINISTRATOR
    found = Membership.objects.filter(study=study, person=person).first()
    return None if found is None else Role(found.role)


def has_role_in(study: Study, person: User | AnonymousUser, *roles: Role) -> bool:
    """Whether a person has one of `roles` in a study; an administrator may do what a data manager may."""
    role = role_in(study, person)
    return role in roles or (role == Role.ADMINISTRATOR and Role.DATA_MANAGER in roles)


def roles_of(person: User) -> dict[str, Role]:
    """A person's role in each study that gave them one, by the study's name."""
    rows = person.memberships.select_related("study").order_by("study__name")
    return {row.study.name: Role(row.role) for row in rows}


def is_administrator(person: User) -> bool:
    """Whether every study is there for a person, whatever roles they were given."""
    return person.role == Role.ADMINISTRATOR


def make_administrator(person: User) -> None:
    """Lets a person see to the installation and all its studies."""
    person.role = Role.ADMINISTRATOR
    person.save(update_fields=["role"])


def add_first_accounts(study: Study) -> None:
    """Gives the first accounts their roles in a study; they have one only where somebody gave it, as everybody has."""
    for person in User.objects.filter(username__in=map(email_of, Role)):
        give_role(study, person, Role(person.role))


def give_role(study: Study, person: User, role: Role) -> Membership:
    """Gives a person a role in a study, in place of one that they had there."""
    return Membership.objects.update_or_create(study=study, person=person, defaults={"role": role})[0]


def take_role(study: Study, person: User) -> bool:
    """Ends a person's part in a study; their work keeps their name.

    Returns:
        Whether they had one.
    """
    return bool(Membership.objects.filter(study=study, person=person).delete()[0])


def take_all_roles(person: User) -> None:
    """Ends a person's part in every study, so that an account that is opened again begins without any."""
    person.memberships.all().delete()
