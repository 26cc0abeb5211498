"""`add_person`: an account for one more annotator, radiologist or data manager, here and in Label Studio."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import create_person
from annotation_backend.labeling.accounts_there import sign_up
from annotation_backend.labeling.project import ensure_people
from annotation_backend.management.arguments import MaskloopCommand


class Command(MaskloopCommand):
    """Makes both accounts, or none where Label Studio does not answer."""

    help = "Add a person, here and in Label Studio; prints the password once."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Who."""
        parser.add_argument("email", help="the user name in both services")
        parser.add_argument("role", choices=Role.values)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Creates, signs up, notes the id."""
        with transaction.atomic():
            person, password = create_person(options["email"], Role(options["role"]))
            sign_up(person, password)
        ensure_people()
        self.say(f"{person.get_role_display()} added. Password, shown only now: {password}")
        return {"role": person.role, "password": password}, []
