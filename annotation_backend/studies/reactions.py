"""Receivers of what accounts ask."""

from typing import Any

from django.conf import settings
from django.dispatch import receiver

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.signals import newcomer_asked, second_factor_asked
from annotation_backend.studies.invitations import expected
from annotation_backend.studies.models import Membership


@receiver(second_factor_asked)
def role_needs_second_factor(*, person: User, **_signal: Any) -> bool:
    """Whether one of a person's roles, in whatever study, is among MASKLOOP_SECOND_FACTOR_ROLES."""
    roles = settings.SECOND_FACTOR_ROLES
    if person.is_administrator and Role.ADMINISTRATOR in roles:
        return True
    return bool(roles) and Membership.objects.filter(person=person, role__in=roles).exists()


@receiver(newcomer_asked)
def invited(*, email: str, **_signal: Any) -> User | None:
    """The account of somebody who was invited, made now; None for who was not."""
    return expected(email)
