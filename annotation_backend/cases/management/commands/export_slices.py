"""`export_slices`: the pictures that annotators draw on."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.registration.export import ExportReport, export_cases, to_export
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.commandline.arguments import MaskloopCommand, add_workers
from annotation_backend.studies.arguments import add_study, study_among


class Command(MaskloopCommand):
    """Exports pictures of every image; a case that was exported keeps its pictures until it is registered anew."""

    help = "Export axial pictures for annotation."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the cases' codes."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases")
        add_study(parser)
        parser.add_argument(
            "--again", action="store_true", help="draw pictures anew that are there, e.g. where a file was damaged"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be exported")
        add_workers(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Exports case by case."""
        cases = select_cases(options["case"], study=study_among(options))
        if options["dry_run"]:
            rehearsed = ExportReport()
            codes = list(to_export(cases, rehearsed, again=options["again"]))
            self.say(f"Would be exported: {', '.join(codes) or 'none'}")
            return {"to_export": codes}, [str(finding) for finding in rehearsed.findings]
        report = export_cases(
            cases, again=options["again"], workers=options["workers"], progress=self.progress("exporting case")
        )
        self.say(f"{sum(report.pictures.values())} pictures exported")
        rows = [{"case": code, "pictures": count} for code, count in sorted(report.pictures.items())]
        return {"cases": rows}, [str(finding) for finding in report.findings]
