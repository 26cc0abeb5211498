"""`send_digests`: the daily e-mails, counts and links alone."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.work.digests import is_on, send_digests
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Run it as often as you like: nobody gets two within a day."""

    help = "Send everybody who has something to do one e-mail a day, with counts and links; off by default."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds whether to send."""
        parser.add_argument("--dry-run", action="store_true", help="send nothing; say how many would go")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Sends, where the setting says that this installation does."""
        if not is_on() and not options["dry_run"]:
            raise RejectedInput(
                "digests-off", "This installation sends no digests.", remedy="Set MASKLOOP_DIGESTS=true in .env."
            )
        count = send_digests(dry_run=options["dry_run"])
        self.say(f"{count} e-mail{'' if count == 1 else 's'} {'would go' if options['dry_run'] else 'went'}")
        return {"sent": 0 if options["dry_run"] else count, "due": count}, []
