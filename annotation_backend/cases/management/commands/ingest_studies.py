"""`ingest_studies`: a folder of studies becomes cases."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from annotation_backend.cases.services import ingest
from annotation_backend.management.arguments import MaskloopCommand
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Finds each patient's T1 and fat-saturated T2, says why, and refuses by name what cannot be used."""

    help = "Bring in a folder of DICOM or NIfTI studies."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The folder."""
        parser.add_argument("folder", type=Path, help="DICOM or NIfTI files, nested as they are")
        parser.add_argument("--dry-run", action="store_true", help="only look and report")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Ingests and reports."""
        if not options["folder"].is_dir():
            raise RejectedInput(
                "no-such-folder", "The folder is not there.", remedy="Give the folder with the studies."
            )
        report = ingest(options["folder"], progress=self.progress("reading file"), dry_run=options["dry_run"])
        for case in report.new:
            self.say(f"{case.code}: new")
            for series in case.series.all():
                self.say(f"  {series.get_role_display()}: {'; '.join(series.evidence['reasons'])}")
        for reference, reasons in report.reasons.items():
            self.say(f"{reference}: {'; '.join(reasons)}")
        self.say(f"{len(report.new)} new case(s), {len(report.known)} known, {len(report.findings)} finding(s)")
        document = {"new": [case.code for case in report.new], "known": [case.code for case in report.known]}
        return {**document, "details": [f.as_dict() for f in report.findings]}, [str(f) for f in report.findings]
