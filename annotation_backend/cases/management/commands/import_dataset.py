"""`import_dataset`: a published dataset becomes cases of a study."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from annotation_backend.cases.ingesting.public_dataset import DatasetImport, import_dataset
from annotation_backend.cases.ingesting.studies_folder import dataset_place
from annotation_backend.commandline.arguments import MaskloopCommand, a_path, add_workers
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.arguments import add_study, study_of
from datasets.public.recognise import LAYOUTS


class Command(MaskloopCommand):
    """Recognises the layout, says what it needs where the folder has another, and ingests it by its own lists."""

    help = "Bring in a published dataset, with its masks as references: " + ", ".join(
        f"{layout.name} ({layout.title})" for layout in LAYOUTS
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the dataset, its layout, and what a person says of its images and labels."""
        parser.add_argument(
            "dataset", type=a_path, help="the folder that the publisher distributes, or a ZIP or tar of it"
        )
        parser.add_argument("--layout", default="", metavar="NAME", help="how it is laid out (default: found out)")
        parser.add_argument(
            "--image",
            action="append",
            default=[],
            type=a_pair,
            metavar="SOURCE=ROLE",
            help="which image of the study one of the dataset is, by its name or number there; SOURCE= leaves it out",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            type=a_pair,
            metavar="SOURCE=LABEL",
            help="which label of the study one of the dataset is, by its name or value there; SOURCE= leaves it out, "
            "*= all that mean none",
        )
        parser.add_argument("--dry-run", action="store_true", help="only look and report")
        add_study(parser)
        add_workers(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Imports the dataset and reports what came in."""
        from curation.scanning.source_listing import SaidByPerson

        done = import_dataset(
            dataset_place(options["dataset"]),
            study=study_of(options),
            progress=self.progress,
            layout=options["layout"],
            said=SaidByPerson(dict(options["image"]), dict(options["label"])),
            dry_run=options["dry_run"],
            workers=options["workers"],
        )
        self._tell(done, dry_run=options["dry_run"])
        report, publication = done.report, done.publication
        document = {
            "layout": done.layout.name,
            "title": publication.title,
            "licence": publication.licence,
            "citation": publication.citation,
            "cases": done.case_count,
            "images": dict(done.roles),
            "labels": dict(done.labels),
            "would_be_new": len(report.reasons),
            "new": [case.code for case in report.new],
            "known": [case.code for case in report.known],
            "undecided": [patient.code for patient in report.undecided],
            "details": [finding.as_dict() for finding in report.findings],
        }
        return document, [str(finding) for finding in report.findings]

    def _tell(self, done: DatasetImport, *, dry_run: bool) -> None:
        self.say(f"{done.layout.title}: {done.case_count} case(s)")
        for what, names in (("image", done.roles), ("label", done.labels)):
            for name, ours in names.items():
                self.say(f"  {what} {name}: {ours or 'left out'}")
        for patient in done.report.undecided:
            self.say(f"{patient.code}: choose its series on {page_of(patient.study, 'patient-page', patient.code)}")
        report = done.report
        would = f"{len(report.reasons)} would be new" if dry_run else f"{len(report.new)} new case(s)"
        self.say(f"{would}, {len(report.known)} known, {len(report.findings)} finding(s)")
        self.say(
            f"Licence: {done.publication.licence or 'not said; ask its publisher before you publish anything of it'}"
        )
        self.say(f"Cite: {done.publication.citation or 'not said'}")


def a_pair(text: str) -> tuple[str, str]:
    """``SOURCE=OURS``; what is behind the last sign of equality is ours, and may be empty.

    Raises:
        ArgumentTypeError: There is no sign of equality, or nothing before it.
    """
    name, sign, ours = text.rpartition("=")
    if not sign or not name.strip():
        raise ArgumentTypeError("write it as SOURCE=OURS, such as liver=Tumour")
    return name.strip(), ours.strip()
