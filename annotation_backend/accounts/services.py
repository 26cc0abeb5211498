"""The four first accounts, one for each role, and those that follow."""

import os
import secrets

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from annotation_backend.accounts.models import Role, User
from annotation_backend.environment import password_variable
from datasets.errors import RejectedInput


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


def create_person(email: str, role: Role, *, is_active: bool = True) -> tuple[User, str]:
    """Creates an account with a freshly drawn password; one that was begun and never became active is begun anew.

    Returns:
        The account, and its password, which is stored nowhere in clear.

    Raises:
        RejectedInput: No e-mail address, or one that has an account.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise RejectedInput(
            "email", "Expected an e-mail address.", remedy="Give one, e.g. anna@hospital.org."
        ) from error
    known = User.objects.filter(username__iexact=email)
    known.filter(is_active=False, last_login=None, label_studio_id=None).delete()
    if known.exists():
        raise RejectedInput("account-exists", "This address has an account.", remedy="Give another address.")
    password = secrets.token_urlsafe(12)
    person = User.objects.create_user(username=email, email=email, password=password, role=role, is_active=is_active)
    return person, password
