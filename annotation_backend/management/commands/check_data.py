"""`check_data`: looks over everything that is stored."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand


class Command(MaskloopCommand):
    """Reads every stored file once and compares it with its recorded digest; changes nothing unless told to."""

    help = "Compare everything that is stored with its digests: images, pictures, masks, versions, releases, models."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds whether to mend damaged files."""
        parser.add_argument("--mend", action="store_true", help="make damaged masks again from their saves")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Checks; a check that was stopped goes on where it was."""
        from annotation_backend.stored_data import check_data

        report = check_data(mend=options["mend"], progress=self.progress("checking file"))
        before = f", {report.known} by a check that was stopped" if report.known else ""
        self.say(f"{report.checked} things compared{before}; {len(report.findings)} finding(s)")
        if report.mended:
            self.say(f"Made again: {', '.join(report.mended)}")
        document = {
            "checked": report.checked,
            "known": report.known,
            "mended": report.mended,
            "damaged": [finding.as_dict() for finding in report.findings],
        }
        return document, [str(finding) for finding in report.findings]
