# mypy: ignore-errors
"""Closes or opens an account in Label Studio's own database. Run by `accounts` as a process of its own.

Label Studio's API cannot end an account: a person taken out of the organisation keeps password, tokens and sessions.
Its accounts have Django's `is_active` for that, which is checked wherever somebody signs in.

A JSON document comes on stdin (``action``: ``close`` or ``open``, ``email``, ``password``) and one goes to stdout.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Does the action that stdin asks for."""
    asked = json.load(sys.stdin)
    _set_up()
    from users.models import User

    email = asked["email"]
    same = sorted(User.objects.filter(email__iexact=email), key=lambda one: (one.email != email.lower(), one.pk))
    user = same[0] if same else None
    if user is not None:
        _close(user) if asked["action"] == "close" else _open(user, asked["password"])
    sys.stdout.write(json.dumps({"found": user is not None}))


def _set_up() -> None:
    import label_studio

    sys.path.insert(0, str(Path(label_studio.__file__).parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.labeling.studio_server.label_studio_settings")
    import django

    django.setup()


def _close(user) -> None:
    """Sessions are signed cookies there: they end because a closed account opens nothing."""
    user.is_active = False
    user.set_unusable_password()
    user.save()
    user.reset_token()
    _end_api_tokens(user)


def _end_api_tokens(user) -> None:
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

    for token in OutstandingToken.objects.filter(user=user):
        BlacklistedToken.objects.get_or_create(token=token)


def _open(user, password: str) -> None:
    """Gives the account a place in the organisation, a new password and a new token, which lock a former holder out."""
    from organizations.models import Organization, OrganizationMember

    organization = Organization.objects.order_by("pk").first()
    organization.add_user(user)
    OrganizationMember.objects.filter(user=user, organization=organization).update(deleted_at=None)
    user.email, user.active_organization, user.is_active = user.email.lower(), organization, True
    user.set_password(password)
    user.save()
    user.reset_token()
    _end_api_tokens(user)


if __name__ == "__main__":
    main()
