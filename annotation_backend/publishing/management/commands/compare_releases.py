"""`compare_releases`: what changed between two versions of a release."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from datasets.errors import RejectedInput
from datasets.files import write_bytes


class Command(MaskloopCommand):
    """Names cases that came, left and changed, ours or anybody's; needs no database."""

    help = "Compare two versions of a release: cases, words, grids and voxels that changed, with pictures."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The two folders, and that of the report."""
        parser.add_argument("old", type=a_path, help="a release's folder")
        parser.add_argument("new", type=a_path, help="the folder of another version of it")
        parser.add_argument("--out", type=a_path, metavar="FOLDER", help="write a page with pictures, and tables, here")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Compares both, and says what changed; differences are no findings, files that cannot be compared are."""
        from datasets.release.comparing.comparison import compare_releases
        from datasets.release.comparing.report import PAGE_NAME, comparison_files, summary

        old, new, out = options["old"], options["new"], options["out"]
        if out is not None:
            _require_apart(out, old, new)
        found = compare_releases(old, new, progress=self.progress("comparing case"))
        for name, content in comparison_files(found).items() if out else ():
            write_bytes(out / name, content)
        self.say(summary(found) + (f" The report: {out.name}/{PAGE_NAME}" if out else ""))
        return found.as_dict(), [str(finding) for finding in found.findings]


def _require_apart(out: Path, *releases: Path) -> None:
    """Refuses a folder for the report that is none, or lies in a release.

    Raises:
        RejectedInput: ``report-folder``.
    """
    place = out.resolve()
    if (out.exists() and not out.is_dir()) or any({place, *place.parents} & {each.resolve()} for each in releases):
        raise RejectedInput(
            "report-folder",
            "The report's folder is a file, or lies in a release, which never changes.",
            remedy="Choose another --out.",
        )
