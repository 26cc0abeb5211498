"""`report_erratum`: brings in what a reader of a release reports as wrong."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.publishing.correcting.errata import planned_report, report
from annotation_backend.studies.arguments import add_study, study_of


class Command(MaskloopCommand):
    """The document names release, version, digest, case and what is wrong; a release's README.md shows one."""

    help = "Bring in a reader's report of a fault in a release; it is listed beside the release at once."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The document."""
        parser.add_argument("file", type=a_path, help="JSON document of the report")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say whether it can be taken")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Reads the report and keeps it."""
        from datasets.release.correcting.erratum_report import read_report_file

        study = study_of(options)
        said = read_report_file(options["file"])
        if options["dry_run"]:
            planned_report(study, said)
            self.say(f"{said.case} of {said.release}-{said.version}: it can be taken.")
            return {"erratum": None, "case": said.case}, []
        erratum = report(study, said)
        self.say(f"Erratum {erratum.number}: {erratum.code} of {erratum.release}. It waits to be accepted or declined.")
        return {"erratum": erratum.number, "case": erratum.code}, []
