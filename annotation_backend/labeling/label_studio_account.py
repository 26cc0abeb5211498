# mypy: ignore-errors
"""Puts an address that Label Studio knows already into its organisation, with a new password and a new token.

Run by `accounts_there` as a process of its own with Label Studio's settings. Standard input is the address and, on a
second line, the password, which thus stand in no list of processes. The exit status is 0, or 4 where nobody has the
address.
"""

import sys
from pathlib import Path

UNKNOWN = 4


def main() -> int:
    """Does it, and keeps whatever the account drew."""
    import label_studio

    sys.path.insert(0, str(Path(label_studio.__file__).parent))
    import django

    django.setup()
    from django.db import transaction
    from organizations.models import Organization, OrganizationMember
    from rest_framework.authtoken.models import Token
    from users.models import User

    email, password = (line.rstrip("\n") for line in sys.stdin.readlines()[:2])
    with transaction.atomic():
        user, organization = User.objects.filter(email__iexact=email).first(), Organization.objects.first()
        if user is None or organization is None:
            return UNKNOWN
        organization.add_user(user)
        OrganizationMember.objects.filter(user=user, organization=organization).update(deleted_at=None)
        user.email, user.active_organization, user.is_active = email.lower(), organization, True
        user.set_password(password)
        user.save()
        Token.objects.filter(user=user).delete()
        Token.objects.create(user=user)
    return 0


if __name__ == "__main__":
    sys.exit(main())
