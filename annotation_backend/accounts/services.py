"""The four first accounts, one for each role, and those that follow."""

import os
import secrets

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.signals import account_closed
from annotation_backend.accounts.spelling import one_spelling
from annotation_backend.environment import password_variable
from datasets.errors import RejectedInput

OURS = "@maskloop.local"
"""The end of the first accounts' addresses, at which nobody gets e-mail and which no other service vouches for."""


def email_of(role: Role) -> str:
    """Address (and user name) of a role's first account."""
    return f"{role.value.replace('_', '-')}{OURS}"


def create_first_accounts() -> list[User]:
    """Creates the account of each role that has none yet, with the password from the environment.

    Returns:
        The accounts that were created now.

    Raises:
        ImproperlyConfigured: A role's password is in neither the environment nor `.env`.
    """
    created = []
    for role in Role:
        if User.objects.filter(username=email_of(role)).exists():
            continue
        person = User.objects.create_user(
            username=email_of(role),
            email=email_of(role),
            password=first_password(role),
            is_administrator=role is Role.ADMINISTRATOR,
        )
        _vouch_for(person)
        created.append(person)
    return created


def first_role(person: User) -> Role | None:
    """The role whose first account a person's is; None for everybody who came later."""
    return {email_of(role): role for role in Role}.get(person.username)


def first_password(role: Role) -> str:
    """The password of a role's first account, as it stands in the environment or `.env`.

    Raises:
        ImproperlyConfigured: The password stands in neither.
    """
    name = password_variable(role.value)
    if not os.environ.get(name, "").strip():
        raise ImproperlyConfigured(
            f"{name}, the first password of {email_of(role)}, is not set. Add a line {name}= with a password of 12 "
            "letters or more to .env."
        )
    return os.environ[name]


def create_person(email: str, *, is_administrator: bool = False, is_active: bool = True) -> tuple[User, str]:
    """Creates an account with a freshly drawn password, or opens one again that was closed or never became active.

    What the person may do in a study is a role there (`studies.people.give_role`).

    Returns:
        The account, and its password, which is stored nowhere in clear.

    Raises:
        RejectedInput: No e-mail address, or one that has an account.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise RejectedInput(
            "email", "This is no e-mail address.", remedy="Give one, e.g. anna@hospital.org."
        ) from error
    email, password = one_spelling(email), secrets.token_urlsafe(12)
    known = User.objects.filter(username__iexact=email).first()
    if known is None:
        made = User.objects.create_user(
            username=email, email=email, password=password, is_administrator=is_administrator, is_active=is_active
        )
        _vouch_for(made)
        return made, password
    if known.is_active:
        raise RejectedInput("account-exists", "This address has an account.", remedy="Give another address.")
    known.is_active, known.is_administrator = is_active, is_administrator
    known.set_password(password)
    known.save()
    _vouch_for(known)
    return known, password


def active_person(email: str) -> User | None:
    """The person who signs in with an address, however it is capitalised; None where nobody does."""
    return User.objects.filter(username__iexact=email, is_active=True).first()


def person_of_address(email: str) -> User | None:
    """Whose address it is, for who proved elsewhere to have it; None where no account is vouched for under it.

    Args:
        email: In `one_spelling`.
    """
    return User.objects.filter(emailaddress__email=email, emailaddress__verified=True).first()


def new_password_key(person: User) -> str:
    """The key of a link by which a person sets a new password; it opens once, for PASSWORD_RESET_TIMEOUT seconds."""
    return f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"


def person_called(email: str) -> User:
    """The person with an address, however it is capitalised.

    Raises:
        RejectedInput: Nobody has it (``account-unknown``).
    """
    person = User.objects.filter(username__iexact=email).first()
    if person is None:
        raise RejectedInput("account-unknown", "Nobody here has this address.", remedy="Give it as `add_person` did.")
    return person


def close_person(person: User) -> int:
    """Ends a person's account here: no password, no session; their work keeps their name. Safe to run twice.

    Returns:
        How many sessions ended.

    Raises:
        RejectedInput: It is the account by which Maskloop speaks to Label Studio (``account-needed``).
    """
    if person.username == email_of(Role.ADMINISTRATOR):
        raise RejectedInput(
            "account-needed",
            "Maskloop speaks to Label Studio by this account; without it nothing goes on.",
            remedy="Give it a new password and LABEL_STUDIO_TOKEN in .env instead.",
        )
    person.is_active = False
    person.set_unusable_password()
    person.save(update_fields=["is_active", "password"])
    ended = end_sessions(person)
    account_closed.send(sender=User, person=person)
    return ended


def end_sessions(person: User, *, but: str | None = None) -> int:
    """Ends a person's sessions in every browser.

    Args:
        person: The person.
        but: Key of the session that goes on.

    Returns:
        How many sessions ended.
    """
    others = Session.objects.exclude(pk=but) if but else Session.objects.all()
    own = [row.pk for row in others if row.get_decoded().get(SESSION_KEY) == str(person.pk)]
    Session.objects.filter(pk__in=own).delete()
    return len(own)


def _vouch_for(person: User) -> None:
    """Notes that an address is the person's, on the word of who made the account."""
    EmailAddress.objects.get_or_create(
        user=person, email=one_spelling(person.email), defaults={"verified": True, "primary": True}
    )
