"""`decide_erratum`: accepts an erratum, so that its case goes back to review, or declines it with a reason."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.publishing.correcting.errata import accept, decline, erratum_called
from annotation_backend.publishing.models import Erratum
from annotation_backend.studies.arguments import add_study, study_of
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Everybody who has the release may read the words."""

    help = "Accept an erratum, or decline it with a reason."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Its number, and what becomes of it."""
        parser.add_argument("number", type=int, help="of the erratum, as list and page have it")
        either = parser.add_mutually_exclusive_group(required=True)
        either.add_argument("--accept", action="store_true", help="the case goes back to review")
        either.add_argument("--decline", metavar="WHY", help="why it is none, for everybody and without names")
        parser.add_argument(
            "--words", default="", metavar="TEXT", help="what is wrong, with --accept (default: the reader's words)"
        )
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="change nothing; only say how it stands")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Decides, and says how the erratum stands."""
        if options["words"] and not options["accept"]:
            raise RejectedInput(
                "erratum-words",
                "--words says what is wrong, and goes with --accept alone.",
                remedy="Write why it is none behind --decline.",
            )
        erratum = erratum_called(study_of(options), options["number"])
        if not options["dry_run"]:
            if options["accept"]:
                accept(erratum, words=options["words"])
            else:
                decline(erratum, words=options["decline"])
        state = Erratum.objects.get(pk=erratum.pk).state.value
        self.say(f"Erratum {erratum.number}, {erratum.code} of {erratum.release}: {state}.")
        return {"erratum": erratum.number, "case": erratum.code, "state": state}, []
