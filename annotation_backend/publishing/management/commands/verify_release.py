"""`verify_release`: checks every byte of a release folder."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path


class Command(MaskloopCommand):
    """Names missing, extra and changed files in a release folder, ours or anybody's."""

    help = "Verify a release folder: every file against its manifest."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the release's folder."""
        parser.add_argument("folder", type=a_path, help="a release's folder")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Verifies the release and reports each damaged file."""
        from datasets.release.verify import verify_release

        report = verify_release(options["folder"])
        findings = [str(finding) for finding in report.findings]
        if not findings:
            self.say(f"Verified: {report.files} files, digest {report.digest}")
        return {"digest": report.digest, "files": report.files}, findings
