"""`remove_person`: ends a person's accounts, here and in Label Studio, or their part in one study, and the addresses of
pictures that they may have kept; their annotations stay theirs."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.accounts.services import close_person, person_called
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.project.addresses import renew_all_addresses
from annotation_backend.labeling.studio_server.accounts import close_account
from annotation_backend.studies.arguments import study_said
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import is_administrator, role_in, roles_of, take_all_roles, take_role
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Closes the account here first; where Label Studio does not answer, the same command does the rest later."""

    help = "End a person's accounts, here and in Label Studio, or their part in one study; add_person undoes it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the person's address."""
        parser.add_argument("email", help="the user name in both services")
        parser.add_argument(
            "--study", metavar="NAME", help="end their part in this study alone; without it, the whole account"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say whose account would be closed")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Closes the person's accounts here and in Label Studio, or takes their role in one study."""
        person, study = person_called(options["email"]), study_said(options)
        if study is not None:
            return self._out_of(study, person, dry_run=options["dry_run"])
        if options["dry_run"]:
            self.say(f"{person} would be removed")
            return {"roles": roles_of(person), "active": person.is_active}, []
        ended = close_person(person)
        roles = roles_of(person)
        take_all_roles(person)
        self.say(f"{person} is closed here; {ended} session(s) ended")
        findings = close_account(person)
        renewed = self._renew(None)
        if not findings:
            self.say("The account in Label Studio is closed: its password, sessions and tokens open nothing")
        closed = {"roles": roles, "active": False, "sessions": ended, "renewed": renewed}
        return closed, [str(finding) for finding in findings]

    def _out_of(self, study: Study, person: User, *, dry_run: bool) -> tuple[dict[str, Any], list[str]]:
        """Takes the role in a study; the account stays."""
        role = role_in(study, person)
        if is_administrator(person):
            raise RejectedInput(
                "person-administrator",
                "This person is an administrator, for whom every study is there.",
                remedy="Close the whole account (without --study), and add the person with another role.",
            )
        if role is None:
            raise RejectedInput(
                "person-not-in-study",
                "This person has no role in the study.",
                remedy="Name a study that they have a role in.",
            )
        document = {"study": study.name, "role": role.value}
        if dry_run:
            self.say(f"{person} would be {role.label.lower()} of {study} no more")
            return document, []
        take_role(study, person)
        self.say(f"{person} is {role.label.lower()} of {study} no more")
        return {**document, "renewed": self._renew(study)}, []

    def _renew(self, study: Study | None) -> int:
        renewed = renew_all_addresses(study)
        self.say(f"Pictures of {renewed} case(s) have new addresses; a task that is open now is to be loaded again")
        return renewed
