"""The four first accounts, one for each role."""

import os

from annotation_backend.accounts.models import Role, User
from annotation_backend.environment import password_variable


def email_of(role: Role) -> str:
    """Address (and user name) of a role's first account."""
    return f"{role.value.replace('_', '-')}@maskloop.local"


def create_first_accounts() -> list[User]:
    """Creates the account of each role that has none yet, with the password from the environment.

    Returns:
        The accounts that were created now.

    Raises:
        KeyError: A role's password is in neither the environment nor `.env`.
    """
    created = []
    for role in Role:
        if User.objects.filter(username=email_of(role)).exists():
            continue
        created.append(
            User.objects.create_user(
                username=email_of(role),
                email=email_of(role),
                password=os.environ[password_variable(role.value)],
                role=role,
            )
        )
    return created
