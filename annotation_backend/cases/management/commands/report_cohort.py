"""`report_cohort`: the cohort's report as one HTML file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from annotation_backend.cases.report import write_report
from annotation_backend.commandline.arguments import MaskloopCommand, a_path


class Command(MaskloopCommand):
    """Writes patients, chosen and refused series with the reasons, and pictures; nothing else is needed to read it."""

    help = "Write the cohort's report as one HTML file with its pictures in it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The folder to write to."""
        parser.add_argument("--output", type=a_path, metavar="FOLDER", help="default: reports/ in the data folder")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Writes the report on the cohort."""
        path, report = write_report(options["output"] or Path(settings.DATA_FOLDER) / "reports")
        counts = f"{len(report.cases)} case(s), {len(report.without_case)} patient(s) without one"
        self.say(f"{path.name} is written: {counts}")
        return {"file": str(path), **report.as_dict()}, []
