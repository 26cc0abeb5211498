"""`report_cohort`: the cohort's report as one HTML file."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.report import write_report
from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.studies.arguments import add_study, study_of


class Command(MaskloopCommand):
    """Writes patients, chosen and refused series with the reasons, and pictures; nothing else is needed to read it."""

    help = "Write the cohort's report as one HTML file with its pictures in it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The folder to write to."""
        parser.add_argument("--output", type=a_path, metavar="FOLDER", help="default: reports/ in the study's data")
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Writes the report on the cohort."""
        study = study_of(options)
        path, report = write_report(study, options["output"] or study.folder / "reports")
        counts = f"{len(report.cases)} case(s), {len(report.without_case)} patient(s) without one"
        self.say(f"{path.name} is written: {counts}")
        return {"file": str(path), **report.as_dict()}, []
