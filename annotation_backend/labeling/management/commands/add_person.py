"""`add_person`: a role in a study for an annotator, radiologist or data manager; who has no account gets one."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import active_person, create_person
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.studio_server.accounts import open_account
from annotation_backend.studies.arguments import add_study, study_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, is_administrator, make_administrator, take_all_roles
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Makes both accounts, or none where Label Studio does not answer; who has them gets the role alone."""

    help = "Give a person a role in a study; who has no account yet gets one, here and in Label Studio."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The person's address and role."""
        parser.add_argument("email", help="the user name in both services")
        parser.add_argument(
            "role", choices=Role.values, help="in the study, in place of one that they have; an administrator has all"
        )
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Creates, signs up, notes the id; gives the role."""
        role = Role(options["role"])
        study = None if role is Role.ADMINISTRATOR and not options["study"] else study_of(options)
        person = active_person(options["email"])
        if person is not None:
            return self._one_more_role(person, role, study)
        person, password = create_person(options["email"], is_active=False)
        take_all_roles(person)  # of an account that was closed by an earlier version, or broken off
        open_account(person, password)
        person.is_active = True  # not before: one that was broken off between the two services is made anew
        if person.label_studio_id is None:
            person.draws_since = timezone.now()  # the account may have been there, with somebody else's password
        with transaction.atomic():
            person.save(update_fields=["is_active", "draws_since"])
            _give(person, role, study)
        findings = [str(finding) for finding in ensure_people()]
        self.say(f"Added as {role.label.lower()}{_of(study)}. Password, shown only now: {password}")
        return {"role": role.value, **_named(study), "password": password}, findings

    def _one_more_role(self, person: User, role: Role, study: Study | None) -> tuple[dict[str, Any], list[str]]:
        """The role alone; safe to run twice."""
        if is_administrator(person) and role is not Role.ADMINISTRATOR:
            raise RejectedInput(
                "person-administrator",
                "This person is an administrator, for whom every study is there.",
                remedy="Give the role to another address.",
            )
        _give(person, role, study)
        self.say(f"{person} is {role.label.lower()}{_of(study)} now; the password stays")
        return {"role": role.value, **_named(study)}, [str(finding) for finding in ensure_people()]


def _give(person: User, role: Role, study: Study | None) -> None:
    if role is Role.ADMINISTRATOR:
        make_administrator(person)
    elif study is not None:
        give_role(study, person, role)


def _of(study: Study | None) -> str:
    return f" of {study}" if study else ""


def _named(study: Study | None) -> dict[str, str]:
    return {"study": study.name} if study else {}
