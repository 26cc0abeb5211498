"""`export_slices`: the pictures that annotators draw on."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.services import export_case, select_cases
from annotation_backend.management.arguments import MaskloopCommand
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Exports axial pictures of T1 and T2; a case that was exported keeps its pictures."""

    help = "Export axial pictures for annotation."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Which cases."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be exported")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Exports case by case."""
        rows: list[dict[str, Any]] = []
        findings = []
        for case in select_cases(options["case"]):
            if options["dry_run"]:
                rows.append({"case": case.code, "pictures": 0})
                continue
            try:
                rows.append({"case": case.code, "pictures": export_case(case)})
            except RejectedInput as error:
                findings.append(f"{case.code}: {error}")
        self.say(f"{sum(row['pictures'] for row in rows)} pictures exported")
        return {"cases": rows}, findings
