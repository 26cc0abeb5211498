"""`reset_sign_in`: a link to a new password for somebody who forgot theirs, or lost their second factor."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.accounts.adapter import new_password_link
from annotation_backend.accounts.second_factor import forget_second_factors
from annotation_backend.accounts.services import end_sessions, new_password_key, person_called
from annotation_backend.commandline.arguments import MaskloopCommand
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """The person sets the password; nobody else learns it."""

    help = "Make a link to a new password for a person, and take a lost second factor away."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the person's address."""
        parser.add_argument("email", help="the user name")
        parser.add_argument(
            "--second-factor", action="store_true", help="take authenticator app, passkeys and recovery codes away too"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Makes the link."""
        person = person_called(options["email"])
        if not person.is_active:
            raise RejectedInput(
                "account-closed", "This account is closed.", remedy="`manage.py add_person` opens it again."
            )
        forgotten = 0
        if options["second_factor"]:
            forgotten = forget_second_factors(person)
            end_sessions(person)
        link = new_password_link(new_password_key(person))
        self.say(f"{forgotten} second factor(s) taken away. Link for the person alone, shown only now: {link}")
        return {"link": link, "second_factors": forgotten}, []
