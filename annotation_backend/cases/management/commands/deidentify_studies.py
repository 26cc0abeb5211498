"""`deidentify_studies`: a folder of DICOM studies becomes one that may leave."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.ingesting.pseudonyms import installation_key, outside_code
from annotation_backend.commandline.arguments import MaskloopCommand, a_path


class Command(MaskloopCommand):
    """Removes identifying elements, by DICOM PS3.15's Basic Profile; files that may not leave are named."""

    help = "De-identify a folder of DICOM studies into another folder."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The folders and the options of the profile."""
        parser.add_argument("source", type=a_path, help="DICOM files, nested as they are; only read")
        parser.add_argument("target", type=a_path, help="an empty folder, or that of an earlier run")
        parser.add_argument(
            "--shift-dates", action="store_true", help="move dates by days instead of removing them; SUV needs times"
        )
        parser.add_argument(
            "--keep-characteristics",
            action="store_true",
            help="keep age (up to 89), sex, size, weight; SUV needs weight",
        )
        parser.add_argument(
            "--keep-safe-private",
            action="store_true",
            help="keep private tags known to be harmless; SUV of Philips' counts and of some GE series needs them",
        )
        parser.add_argument(
            "--clean-descriptors", action="store_true", help="keep known words of descriptions and labels"
        )
        parser.add_argument("--dry-run", action="store_true", help="only look and report")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """De-identifies the folder's DICOM files and reports."""
        from curation.deidentification.deidentify import Policy, deidentify_folder
        from curation.deidentification.report import REPORT_NAME, TABLE_NAME

        policy = Policy(
            shift_dates=options["shift_dates"],
            keep_characteristics=options["keep_characteristics"],
            keep_safe_private=options["keep_safe_private"],
            clean_descriptors=options["clean_descriptors"],
        )
        report = deidentify_folder(
            options["source"],
            options["target"],
            policy,
            key=installation_key(),
            code_of=outside_code,
            progress=self.progress("de-identifying file"),
            dry_run=options["dry_run"],
        )
        held_back = {number for numbers in report.held_back.values() for number in numbers}
        self.say(
            f"{report.file_count} file(s) of {len(report.series)} series may leave, {len(held_back)} held back, "
            f"{report.other_files} other file(s) are no DICOM and are not copied"
        )
        if not options["dry_run"]:
            self.say(f"What was done to every element is in {TABLE_NAME} and {REPORT_NAME} of the target folder")
        return report.as_dict(), [str(finding) for finding in report.findings]
