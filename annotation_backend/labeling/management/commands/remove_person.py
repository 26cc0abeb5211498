"""`remove_person`: ends a person's accounts, here and in Label Studio, and the addresses of pictures that they may have
kept; their annotations stay theirs."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.accounts.services import close_person, person_called
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.project.addresses import renew_all_addresses
from annotation_backend.labeling.studio_server.accounts import close_account


class Command(MaskloopCommand):
    """Closes the account here first; where Label Studio does not answer, the same command does the rest later."""

    help = "End a person's accounts, here and in Label Studio; add_person opens them again."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the person's address."""
        parser.add_argument("email", help="the user name in both services")
        parser.add_argument("--dry-run", action="store_true", help="only say whose account would be closed")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Closes the person's accounts here and in Label Studio."""
        person = person_called(options["email"])
        if options["dry_run"]:
            self.say(f"{person} would be removed")
            return {"active": person.is_active}, []
        ended = close_person(person)
        self.say(f"{person} is closed here; {ended} session(s) ended")
        findings = close_account(person)
        renewed = renew_all_addresses()
        self.say(f"Pictures of {renewed} case(s) have new addresses; a task that is open now is to be loaded again")
        if not findings:
            self.say("The account in Label Studio is closed: its password, sessions and tokens open nothing")
        closed = {"active": False, "sessions": ended, "renewed": renewed}
        return closed, [str(finding) for finding in findings]
