"""`ingest_studies`: a folder of studies becomes cases."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.run_values import IngestReport
from annotation_backend.cases.ingesting.studies_folder import studies_folder
from annotation_backend.commandline.arguments import MaskloopCommand, a_path, add_workers
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.arguments import add_study, study_of
from datasets.labels.label_values import parse_label_values


class Command(MaskloopCommand):
    """Finds each patient's images by the study's protocol, says why, and refuses unusable files and series by name."""

    help = "Bring in a folder of studies: find the images that the study needs of each patient."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the folder of studies and the options of an ingest."""
        parser.add_argument("folder", type=a_path, help="DICOM, NIfTI, NRRD or MetaImage files, nested as they are")
        parser.add_argument("--dry-run", action="store_true", help="only look and report")
        parser.add_argument(
            "--label-values",
            default="",
            metavar="NAME=VALUE,NAME=VALUE",
            help="what the values of mask files mean, in the whole folder: tumour=2,oedema=1",
        )
        add_study(parser)
        add_workers(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Ingests the folder and reports each patient's outcome."""
        report = ingest(
            studies_folder(options["folder"]),
            study=study_of(options),
            progress=self.progress("reading file"),
            storing=self.progress("storing case"),
            dry_run=options["dry_run"],
            workers=options["workers"],
            label_values=parse_label_values(options["label_values"]) if options["label_values"] else None,
        )
        self._tell(report, dry_run=options["dry_run"])
        document = {
            "new": [case.code for case in report.new],
            "known": [case.code for case in report.known],
            "undecided": [patient.code for patient in report.undecided],
            "details": [finding.as_dict() for finding in report.findings],
        }
        return document, [str(finding) for finding in report.findings]

    def _tell(self, report: IngestReport, *, dry_run: bool) -> None:
        for case in report.new:
            self.say(f"{case.code} of {case.patient.code}: new")
            for series in case.series.all():
                self.say(f"  {series.title}: {'; '.join(series.evidence['reasons'])}")
        for reference, reasons in report.reasons.items():
            self.say(f"{reference}: would be new")
            for line in reasons:
                self.say(f"  {line}")
        for patient in report.undecided:
            self.say(f"{patient.code}: choose its series on {page_of(patient.study, 'patient-page', patient.code)}")
        would = f"{len(report.reasons)} would be new" if dry_run else f"{len(report.new)} new case(s)"
        self.say(f"{would}, {len(report.known)} known, {len(report.findings)} finding(s)")
