"""`exclude_case`: leaves a case out with a reason, or takes that back."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import case_called
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.arguments import add_study_of_code, study_said


class Command(MaskloopCommand):
    """An excluded case is registered, exported, published, learned and released no more; its page stays."""

    help = "Leave a case out with a reason, or take that back."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The case, and the reason."""
        parser.add_argument("case", metavar="CODE", help="e.g. C0003")
        either = parser.add_mutually_exclusive_group(required=True)
        either.add_argument("--reason", help="why, without names or dates")
        either.add_argument("--take-back", action="store_true", help="use the case again")
        add_study_of_code(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing; only say whether it is excluded now"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Excludes or takes back."""
        case = case_called(options["case"], study=study_said(options))
        if not options["dry_run"]:
            if options["take_back"]:
                take_back(case)
            else:
                exclude(case, reason=options["reason"])
        exclusion = Case.objects.get(pk=case.pk).exclusion
        self.say(f"{case.code} is excluded: {exclusion.reason}" if exclusion else f"{case.code} is in use")
        return {"case": case.code, "excluded": exclusion is not None}, []
