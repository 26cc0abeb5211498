"""`segment_volume`: a model draws on one volume, from files to a file."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import Named, add_device, by_kind, named, use_device
from annotation_backend.inference.one_volume import (
    Outputs,
    from_voxels,
    images_of,
    read_images,
    read_prompts,
    require_understood,
    segment_files,
)
from annotation_backend.registry.chosen_model import choose_model
from datasets.errors import RejectedInput
from training.methods.needs import channels_of
from training.prompts.prompt import Box, Click, PointMm, Prompts, joined

_NUMBERS = re.compile(r"-[0-9.][-+0-9.,eE]*")


class Command(MaskloopCommand):
    """Writes the tumour's mask on the image's grid, with a report of the model; needs no database."""

    help = "Let a model draw the tumour on one volume (NIfTI, NRRD, MetaImage) from points, clicks or boxes."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The model, the images, the prompts, and where to write."""
        parser.add_argument("--model", required=True, help="shipped name (six-points), folder, or name-version")
        parser.add_argument(
            "--image",
            type=named,
            nargs="+",
            action="extend",
            required=True,
            metavar="[NAME=]FILE",
            help="t1=FILE t2=FILE ct=FILE pet=FILE; without a name, the model's first image",
        )
        parser.add_argument(
            "--points",
            type=a_path,
            metavar="FILE.json",
            help='{"extreme_points": [[x, y, z], ...], "clicks": [{"point_mm": [x, y, z], "positive": true}, ...], '
            '"boxes": [{"corner_mm": [x, y, z], "opposite_mm": [x, y, z]}, ...]}, RAS+ mm',
        )
        triples: dict[str, Any] = {"type": _numbers(3), "nargs": "+", "action": "extend", "default": []}
        parser.add_argument("--click", metavar="X,Y,Z", help="in the tumour", **triples)
        parser.add_argument("--negative", metavar="X,Y,Z", help="beside the tumour", **triples)
        parser.add_argument("--extreme-point", metavar="X,Y,Z", help="just inside the tumour's ends", **triples)
        parser.add_argument(
            "--box", metavar="X,Y,Z,X,Y,Z", help="two opposite corners", **(triples | {"type": _numbers(6)})
        )
        parser.add_argument("--voxels", action="store_true", help="all points are indices i,j,k of the image, not mm")
        parser.add_argument("--out", type=a_path, required=True, metavar="FILE.nii.gz", help="mask to write")
        parser.add_argument("--probability", type=a_path, metavar="FILE.nii.gz", help="write the probability too")
        parser.add_argument(
            "--uncertainty",
            type=a_path,
            metavar="FILE.nii.gz",
            help="write how unsure the model is of each voxel, in bits",
        )
        parser.add_argument("--previous", type=a_path, metavar="FILE", help="a previous probability to refine")
        parser.add_argument("--resample", action="store_true", help="bring the other images onto the first one's grid")
        parser.add_argument("--overwrite", action="store_true", help="replace existing files")
        parser.add_argument("--dry-run", action="store_true", help="only check the model, the images and the names")
        add_device(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Points may begin with a minus sign, which argparse would take for an option."""
        super().run_from_argv([f" {each}" if _NUMBERS.fullmatch(each) else each for each in argv])

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Reads, draws, writes."""
        use_device(options)
        model = choose_model(options["model"])
        files = images_of(model, _files(options["image"], channels_of(model.description)[0]))
        outputs = Outputs(
            options["out"], options["probability"], options["uncertainty"], overwrite=options["overwrite"]
        )
        given = [path for path in (options["points"], options["previous"]) if path is not None]
        outputs.require_free([*files.values(), *given])
        prompts = _prompts(options)
        require_understood(model, prompts, refines=options["previous"] is not None)
        volumes, findings = read_images(files, resample=options["resample"])
        if options["voxels"]:
            prompts = from_voxels(prompts, next(iter(volumes.values())).grid)
        if options["dry_run"]:
            self.say(f"{model.title} would draw on {', '.join(volumes)}.")
            return {"model": model.title, "images": list(volumes)}, list(map(str, findings))
        document = segment_files(model, volumes, prompts, outputs=outputs, previous=options["previous"])
        self._tell(document)
        return document, [*map(str, findings), *([] if document["voxels"] else [_nothing_drawn()])]

    def _tell(self, document: dict[str, Any]) -> None:
        self.say(f"{document['model']} on {', '.join(document['images'])}: {document['voxels']} voxels, "
                 f"{document['millilitres']:.1f} ml")  # fmt: skip
        for name, value in document["used"].items():
            if name == "regions":
                self.say(f"  slices drawn: {len(value)}, those that were clicked")
                continue
            if isinstance(value, dict):
                value = ", ".join(
                    f"{part} {found:.2f}" if isinstance(found, float) else f"{part} {found}"
                    for part, found in value.items()
                )
            self.say(f"  {name}: {value}")
        if document["uncertainty"] is not None:
            self.say(f"  uncertainty of the case: {document['uncertainty']:.3f}, from 0 (sure) to 1 (wholly unsure)")


def _files(given: list[Named], first: str) -> dict[str, Path]:
    return {channel: Path(path) for channel, path in by_kind(given, first).items()}


def _prompts(options: dict[str, Any]) -> Prompts:
    """The prompts of the file, then those of the command line."""
    clicks = [Click(_point(each)) for each in options["click"]]
    clicks += [Click(_point(each), positive=False) for each in options["negative"]]
    boxes = tuple(Box(_point(each[:3]), _point(each[3:])) for each in options["box"])
    own = Prompts(tuple(clicks), boxes, tuple(_point(each) for each in options["extreme_point"]))
    return own if options["points"] is None else joined([read_prompts(options["points"]), own])


def _point(values: tuple[float, ...]) -> PointMm:
    x, y, z = values
    return x, y, z


def _numbers(count: int) -> Any:
    """An argparse type: `count` numbers with commas between them."""

    def read(value: str) -> tuple[float, ...]:
        try:
            found = tuple(float(part) for part in value.split(","))
        except ValueError:
            found = ()
        if len(found) != count:
            raise ArgumentTypeError(f"expected {count} numbers with commas between them, got {value.strip()!r}")
        return found

    return read


def _nothing_drawn() -> str:
    found = RejectedInput(
        "nothing-drawn",
        "The model found no tumour; the mask that was written is empty.",
        remedy="Give the points, clicks or boxes that the model needs, in millimetres (or --voxels for indices).",
    )
    return str(found)
