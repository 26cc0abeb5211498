"""`export_release`: a release in the layout of another program."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.publishing.named_release import find_release

FORMATS = ("nnunet", "decathlon", "dicom-seg", "monai", "mstt-199")
MISSING = ("refuse", "leave-image-out", "leave-case-out")
SEGMENTS = ("binary", "labelmap")
"""Words of `datasets.release.exports`, which is imported by a run alone."""


class Command(MaskloopCommand):
    """Exports a release, verified first; a folder needs no database."""

    help = "Export a release for nnU-Net, MONAI, DICOM viewers and others, whole or not at all."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release, the format and what is left out."""
        parser.add_argument("release", help="a release's folder, or with --study its name and version")
        parser.add_argument("format", choices=FORMATS, help="the layout")
        parser.add_argument(
            "--out", type=a_path, required=True, metavar="FOLDER", help="a folder that is not there yet"
        )
        parser.add_argument(
            "--study", metavar="NAME", help="the study whose release it is; without it RELEASE is a folder"
        )
        parser.add_argument("--images", nargs="+", default=[], metavar="ROLE", help="only these images, in this order")
        parser.add_argument(
            "--missing",
            choices=MISSING,
            default=MISSING[0],
            help="where cases lack an image that the format wants of all (default refuse)",
        )
        parser.add_argument(
            "--number", type=int, default=1, help="of nnU-Net's dataset or the Decathlon's task (default 1)"
        )
        parser.add_argument("--name", default="", help="of the dataset, in letters and digits (default: the release's)")
        parser.add_argument(
            "--segments", choices=SEGMENTS, default=SEGMENTS[0], help="how a DICOM SEG holds them (default binary)"
        )
        parser.add_argument(
            "--dicom", type=a_path, metavar="FOLDER", help="de-identified series to which DICOM SEG may refer"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be exported")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Verifies the release, and exports it."""
        from datasets.release.exports.export import plan_export, write_export
        from datasets.release.exports.formats import FORMATS
        from datasets.release.exports.options import ExportOptions, Missing, SegmentForm
        from datasets.release.exports.source import open_release

        folder, digest = find_release(options["release"], options["study"], is_given_away=True)
        source = open_release(folder, expected_digest=digest, progress=self.progress("verifying byte"))
        wanted = ExportOptions(
            images=tuple(options["images"]),
            missing=Missing(options["missing"]),
            number=options["number"],
            dataset_name=options["name"],
            segments=SegmentForm(options["segments"]),
            dicom=options["dicom"],
        )
        plan = plan_export(source, FORMATS[options["format"]], wanted)
        document = {
            "release": source.title,
            "digest": source.digest,
            "format": plan.form.name,
            "cases": [case.code for case in plan.selection.cases],
            "images": [role.name for role in plan.selection.roles],
        }
        if options["dry_run"]:
            self.say(f"{len(document['cases'])} case(s) of {source.title} would be exported as {plan.form.title}")
            return document, [str(finding) for finding in plan.findings]
        findings = write_export(plan, options["out"], progress=self.progress("exporting case"))
        self.say(f"{len(document['cases'])} case(s) of {source.title} as {plan.form.title}: see README.txt there")
        return document, [str(finding) for finding in findings]
