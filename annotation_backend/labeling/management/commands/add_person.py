"""`add_person`: an account for one more annotator, radiologist or data manager, here and in Label Studio."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import create_person
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.studio_server.accounts import open_account
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import find_study


class Command(MaskloopCommand):
    """Makes both accounts, or none where Label Studio does not answer."""

    help = "Add a person, or one who was removed again, here and in Label Studio; prints the password once."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The person's address and role."""
        parser.add_argument("email", help="the user name in both services")
        parser.add_argument("role", choices=Role.values)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Creates, signs up, notes the id."""
        role = Role(options["role"])
        study = None if role is Role.ADMINISTRATOR else find_study(None)
        person, password = create_person(options["email"], is_administrator=study is None, is_active=False)
        open_account(person, password)
        person.is_active = True  # not before: one that was broken off between the two services is made anew
        if person.label_studio_id is None:
            person.draws_since = timezone.now()  # the account may have been there, with somebody else's password
        person.save(update_fields=["is_active", "draws_since"])
        if study is not None:
            give_role(study, person, role)
        findings = [str(finding) for finding in ensure_people()]
        self.say(f"{role.label} added. Password, shown only now: {password}")
        return {"role": role.value, "password": password}, findings
