"""`verify_release`: checks every byte of a release folder."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from datasets.errors import RejectedInput, TryAgain


class Command(MaskloopCommand):
    """Names what is missing, extra, changed or unsound in a release folder, ours or anybody's."""

    help = "Verify a release folder, as the verify.py in it does: every file, image, mask and fold."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release's folder, and how long and from where on to read it."""
        parser.add_argument("folder", type=a_path, help="a release's folder")
        parser.add_argument("--seconds", type=float, metavar="N", help="stop after this time (exit status 3)")
        parser.add_argument("--state", type=a_path, metavar="FILE", help="keep here what was whole, and go on from it")
        parser.add_argument("--anew", action="store_true", help="read everything again, whatever the state knows")
        parser.add_argument("--digest", metavar="HEX", help="the release digest that the publisher names")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Verifies the release and reports each fault."""
        from datasets.release.verify import verify_release

        if options["seconds"] is not None and not options["seconds"] > 0:
            raise RejectedInput("seconds", "Expected a number of seconds above 0.", remedy="Correct --seconds.")
        report = verify_release(
            options["folder"],
            expected_digest=options["digest"],
            seconds=options["seconds"],
            state=options["state"],
            anew=options["anew"],
            progress=self.progress("verifying"),
        )
        findings = [str(finding) for finding in report.findings]
        left = f"Time is over: {report.files_left} files ({report.bytes_left / 1e6:.1f} MB) are left."
        if report.files_left and not findings:
            raise TryAgain("verification-unfinished", left, remedy="Run it again with the same --state.")
        if report.files_left:
            findings.append(left)
        if report.is_sound:
            self.say(f"Verified: {report.files} files, digest {report.digest}")
        return {"digest": report.digest, "files": report.files, "files_left": report.files_left}, findings
