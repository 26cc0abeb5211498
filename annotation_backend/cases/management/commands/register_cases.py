"""`register_cases`: brings each case's T1 onto its T2."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.services import register_case, select_cases
from annotation_backend.management.arguments import MaskloopCommand
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Registers the cases that are not registered yet; one that fails does not stop the rest."""

    help = "Register T1 onto T2 for each case."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Which cases."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be registered")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Registers case by case."""
        cases = select_cases(options["case"])
        todo = [case for case in cases if not case.is_registered]
        if options["dry_run"]:
            return {"to_register": [case.code for case in todo]}, []
        done, findings = [], []
        show = self.progress("registering case")
        for number, case in enumerate(todo):
            show(number, len(todo))
            try:
                register_case(case)
                done.append(case.code)
            except RejectedInput as error:
                findings.append(f"{case.code}: {error}")
        show(len(todo), len(todo))
        self.say(f"{len(done)} registered now, {len(cases) - len(todo)} before")
        return {"registered": done}, findings
