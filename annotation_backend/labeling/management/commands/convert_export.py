"""`convert_export`: a Label Studio export to NIfTI, and a NIfTI mask to tasks that Label Studio imports."""

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.labeling.exchange.to_nifti import export_to_nifti, sources_of
from annotation_backend.labeling.exchange.to_tasks import Drawn, TaskForm, nifti_to_tasks, read_label_map
from annotation_backend.labeling.masks.regions import MaskFormat
from datasets.pictures.picture_plane import AnatomicalPlane
from datasets.pictures.picture_turn import DIRECTIONS
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import protocol_text


class Command(MaskloopCommand):
    """Converts between Label Studio's files and label maps; needs neither the database nor Label Studio."""

    help = "Convert a Label Studio export to NIfTI (to-nifti), or a NIfTI mask to tasks for import (from-nifti)."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The two directions, each with its own arguments."""
        directions = parser.add_subparsers(dest="direction", required=True, metavar="to-nifti | from-nifti")
        _add_to_nifti(directions.add_parser("to-nifti", help="an export to one label map a case or task"))
        _add_from_nifti(directions.add_parser("from-nifti", help="a label map to one task a slice"))

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Converts in one direction."""
        return self._to_nifti(options) if options["direction"] == "to-nifti" else self._from_nifti(options)

    def _to_nifti(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        report = export_to_nifti(
            options["export"],
            None if options["dry_run"] else options["out"],
            sources=sources_of(
                options["slices"],
                options["grid"],
                cut=AnatomicalPlane(options["view"]),
                across=options["across"],
                down=options["down"],
            ),
            each_annotator=options["each_annotator"],
            labels=options["labels"],
            protocol=options["protocol"] and read_protocol(protocol_text(options["protocol"])),
            overwrite=options["overwrite"],
        )
        became = "would become" if options["dry_run"] else "became"
        self.say(f"{report.tasks} task(s) {became} {len(report.volumes)} volume(s)")
        document = {"tasks": report.tasks, "volumes": report.volumes}
        return document, [str(finding) for finding in report.findings]

    def _from_nifti(self, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        said = options["protocol"]
        names = read_protocol(protocol_text(said)).label_names if said else dict(options["labels"]) or None
        volume = read_label_map(
            options["mask"], labels=names, cut=AnatomicalPlane(options["view"]), case=options["case"]
        )
        form = TaskForm(
            drawn=Drawn(options["drawn"]),
            mask_format=MaskFormat(options["mask_format"]),
            **{key: options[key] for key in ("picture", "data_key", "from_name", "to_name", "model_version")},
        )
        document = asdict(form) | {"tasks": volume.plane.slice_count, "labels": sorted(volume.mask.labels.values())}
        if options["dry_run"]:
            self.say(f"{volume.plane.slice_count} {volume.plane.anatomical} slices would become tasks.")
            return document, list(map(str, volume.findings))
        drawn = nifti_to_tasks(volume, options["out"], form=form, overwrite=options["overwrite"])
        self.say(f"{volume.plane.slice_count} tasks, {drawn} of them with a mask")
        return document | {"with_mask": drawn}, list(map(str, volume.findings))


def _add_to_nifti(parser: ArgumentParser) -> None:
    parser.add_argument("export", type=a_path, metavar="EXPORT.json", help="JSON or JSON-MIN")
    parser.add_argument("out", type=a_path, metavar="FOLDER", help="folder to make")
    parser.add_argument(
        "--slices", type=a_path, nargs="+", default=[], metavar="FOLDER", help="exported slices, or folders above them"
    )
    parser.add_argument(
        "--grid",
        type=a_path,
        metavar="IMAGE.nii.gz",
        help="the volume that all other pictures (or pages) were cut from",
    )
    for name, edges in (("--across", "left to its right"), ("--down", "upper to its lower")):
        parser.add_argument(
            name,
            choices=DIRECTIONS,
            help=f"what the pictures cut from --grid run along, from a picture's {edges} edge; RL: from the patient's "
            "right to the left",
        )
    parser.add_argument("--each-annotator", action="store_true", help="one volume an annotator, not the newest save")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--labels", nargs="+", default=[], metavar="NAME", help="labels to keep; the first gets value 1 and wins"
    )
    kept.add_argument(
        "--protocol", metavar="NAME|FILE", help="keep its labels, with its values; where two meet its first wins"
    )
    _add_common(parser)


def _add_from_nifti(parser: ArgumentParser) -> None:
    parser.add_argument("mask", type=a_path, metavar="MASK.nii.gz", help="label map; the JSON beside it is read too")
    parser.add_argument("out", type=a_path, metavar="TASKS.json", help="file to write")
    named = parser.add_mutually_exclusive_group()
    named.add_argument(
        "--labels",
        nargs="+",
        type=_value_and_name,
        default=[],
        metavar="VALUE=NAME",
        help="default: the JSON's, or 1=Tumour",
    )
    named.add_argument("--protocol", metavar="NAME|FILE", help="name the values as this protocol does")
    parser.add_argument(
        "--as", dest="drawn", choices=list(Drawn), default=Drawn.ANNOTATIONS, help="default: annotations"
    )
    parser.add_argument("--mask-format", choices=list(MaskFormat), default=MaskFormat.BRUSH, help="default: brush")
    parser.add_argument("--case", type=_code, metavar="CODE", help="default: the JSON's")
    parser.add_argument(
        "--picture", default=TaskForm.picture, metavar="ADDRESS", help="of a slice's picture; default %(default)s"
    )
    parser.add_argument(
        "--data-key", default=TaskForm.data_key, metavar="NAME", help="in the tasks' data; default image"
    )
    parser.add_argument("--from-name", metavar="NAME", help="the control's; default: brush or bitmask")
    parser.add_argument("--to-name", metavar="NAME", help="the image's; default: image")
    parser.add_argument("--model-version", default=TaskForm.model_version, metavar="NAME", help="of predictions")
    _add_common(parser)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--view",
        choices=list(AnatomicalPlane),
        default=AnatomicalPlane.AXIAL,
        help="how the volume is cut; default: axial",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier conversion made")
    parser.add_argument("--dry-run", action="store_true", help="only read, and say what would be made")
    parser.add_argument("--json", action="store_true", default=SUPPRESS, help="print one JSON document on stdout")


def _value_and_name(text: str) -> tuple[int, str]:
    value, _, name = text.partition("=")
    if not value.isdecimal() or not 0 < int(value) < 256 or not name:
        raise ArgumentTypeError("expected a value from 1 to 255 and its name, e.g. 1=Tumour")
    return int(value), name


def _code(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise ArgumentTypeError("expected up to 64 letters, digits, dashes and underscores")
    return text
