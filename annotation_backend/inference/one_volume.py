"""Segmenting one patient's files with a model, for `segment_volume`; no database is needed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from annotation_backend.registry.chosen_model import ChosenModel
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.formats.nifti import write_mask, write_volume
from datasets.formats.volume_file import read_volume
from datasets.gate import refuse_errors
from datasets.image.content_checks import check_volume
from datasets.image.lattice import is_box_of, volume_on
from datasets.image.mask import Mask
from datasets.image.resample import resample_volume
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import modality_of
from training.methods.needs import channels_of
from training.prompts.prompt import Box, Click, PointMm, Prompts
from training.prompts.prompt_document import from_document
from training.table.method import PromptType

if TYPE_CHECKING:
    from training.segmenters.segmenter import Segmentation

_SUFFIX = ".nii.gz"

_WORDS = {PromptType.EXTREME_POINTS: "extreme points", PromptType.BOX: "boxes", PromptType.POINT: "clicks"}


@dataclass(frozen=True)
class Outputs:
    """The files that are written.

    Args:
        mask: File of the mask.
        probability: File of the probability; None for none.
        uncertainty: File of the uncertainty, voxel by voxel; None for none.
        overwrite: Whether existing files may be replaced.
    """

    mask: Path
    probability: Path | None = None
    uncertainty: Path | None = None
    overwrite: bool = False

    def require_free(self, inputs: Sequence[Path]) -> None:
        """Refuses before anything is computed.

        Raises:
            RejectedInput: A name does not end with .nii.gz, two names are one file, or a file exists already, is a
                folder, or is an input.
        """
        paths = [path for path in (self.mask, self.probability, self.uncertainty) if path is not None]
        if not all(path.name.endswith(_SUFFIX) for path in paths) or len({path.resolve() for path in paths}) < len(
            paths
        ):
            raise RejectedInput(
                "output-name",
                f"The names of mask, probability and uncertainty must differ and end with {_SUFFIX}.",
                remedy="Rename them.",
            )
        if {path.resolve() for path in paths} & {path.resolve() for path in inputs}:
            raise RejectedInput(
                "output-is-input",
                "An output would overwrite one of the input files.",
                remedy="Choose another name.",
            )
        if any(path.is_dir() for path in paths):
            raise RejectedInput(
                "output-is-folder", "The output is a folder, not a file.", remedy="Add a file's name to it."
            )
        if not self.overwrite and any(path.exists() for path in paths):
            raise RejectedInput(
                "output-exists",
                "The output exists already.",
                remedy="Choose another name, or allow it with --overwrite.",
            )


def read_images(files: Mapping[str, Path], *, resample: bool) -> tuple[dict[str, Volume], tuple[Finding, ...]]:
    """The images, all on the first one's grid, and the findings of bringing them there.

    Raises:
        RejectedInput: A file cannot be read, or holds no image.
        GeometryError: One lies on another grid and may not be resampled.
    """
    volumes: dict[str, Volume] = {}
    findings: list[Finding] = []
    grid: Grid | None = None
    for channel, path in files.items():
        volume = read_volume(path)
        findings += refuse_errors(check_volume(volume))
        grid = grid or volume.grid
        if resample and not is_box_of(volume.grid, grid):
            volume = resample_volume(volume, grid, outside=float(np.nanmin(volume.data)))
        volumes[channel], found = volume_on(volume, grid, what=f"The image {channel} beside the first")
        findings += found
    return volumes, tuple(findings)


def images_of(model: ChosenModel, files: Mapping[str, Path]) -> dict[str, Path]:
    """The files of the images that a model needs, in its order; the first, whatever it shows, for one that takes any.

    Raises:
        RejectedInput: One is missing.
    """
    needed = channels_of(model.description)
    if model.description.method.takes_any_image:
        needed = tuple(files)[:1]
    if missing := [channel for channel in needed if channel not in files]:
        raise RejectedInput(
            "sequence-missing",
            f"{model.title} needs the images {', '.join(needed)}; missing: {', '.join(missing)}.",
            remedy="Give each by name, e.g. --image t1=T1.nii.gz t2=T2.nii.gz.",
        )
    return {channel: files[channel] for channel in needed}


def read_prompts(path: Path) -> Prompts:
    """Prompts from a JSON file (see `training.prompts.prompt_document`).

    Raises:
        RejectedInput: It cannot be read, names something twice, or holds no prompts.
    """
    try:
        return from_document(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_each_once))
    except (OSError, ValueError, RecursionError) as error:
        raise RejectedInput(
            "prompt-file",
            "The file of prompts is missing or not valid JSON.",
            remedy="Check the path, and that no name occurs twice.",
        ) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; refuses duplicate names, since all but the last would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("twice")
    return found


def require_understood(model: ChosenModel, prompts: Prompts, *, refines: bool) -> None:
    """Refuses prompts that a model would silently ignore.

    Args:
        model: The model.
        prompts: Its prompts.
        refines: Whether it is given a previous probability to refine.

    Raises:
        RejectedInput: It ignores a kind of prompt that is given, draws nothing without prompts, or does not refine a
            probability.
    """
    method = model.description.method
    given = {"extreme points": prompts.extreme_points, "clicks": prompts.clicks, "boxes": prompts.boxes}
    kinds = [_WORDS[kind] for kind in method.prompts]
    if unread := [kind for kind, found in given.items() if found and kind not in kinds]:
        raise RejectedInput(
            "prompt-kind",
            f"{model.title} reads {' and '.join(kinds) or 'no prompts'}, not {' and '.join(unread)}.",
            remedy="Leave them out, or choose a model that reads them.",
        )
    if method.draws_clicked_slices and not prompts.clicks:
        raise RejectedInput(
            "clicks-missing",
            f"{model.title} draws only slices with a click, and none was given.",
            remedy="Click in the tumour, on every slice to draw; two-stage draws whole volumes.",
        )
    if refines and not method.refines:
        raise RejectedInput(
            "previous-unread",
            f"{model.title} cannot refine a previous probability: it draws anew each time.",
            remedy="Leave --previous out, or choose a model that is corrected by clicks.",
        )


def from_voxels(prompts: Prompts, grid: Grid) -> Prompts:
    """Prompts whose points are voxel indices (i, j, k) of a grid, in millimetres."""
    world = _to_world(grid)
    return replace(
        prompts,
        clicks=tuple(Click(world(click.point_mm), positive=click.positive) for click in prompts.clicks),
        boxes=tuple(Box(world(box.corner_mm), world(box.opposite_mm)) for box in prompts.boxes),
        extreme_points=tuple(world(point) for point in prompts.extreme_points),
    )


def segment_files(
    model: ChosenModel,
    volumes: Mapping[str, Volume],
    prompts: Prompts,
    *,
    outputs: Outputs,
    previous: Path | None = None,
) -> dict[str, Any]:
    """Draws and writes the mask on the images' grid.

    Args:
        model: The model.
        volumes: From `read_images`.
        prompts: In millimetres.
        outputs: Files of mask, probability and uncertainty.
        previous: File of a previous probability, for methods that refine it.

    Returns:
        A report as plain JSON values: model, images, size of the mask, and what the model used.

    Raises:
        RejectedInput: The model cannot use the prompts or the images, or does not say how sure it is
            (``uncertainty-none``).
    """
    from training.segmenters.segmenter import SegmentationRequest

    target = next(iter(volumes))
    grid = volumes[target].grid
    earlier = None if previous is None else read_volume(previous)
    if earlier is not None:
        earlier, _ = volume_on(earlier, grid, what="The image and the previous probability")
        earlier = Volume(np.clip(np.nan_to_num(earlier.data), 0.0, 1.0), grid)
    pictures = PicturePlane.of(grid)
    by_box = model.description.method.usual_prompt is PromptType.BOX
    slices = _pointed_at(prompts, pictures) if by_box else None
    request = SegmentationRequest(
        volumes,
        target,
        prompts,
        slice_axis=pictures.slice_axis,
        slices=slices,
        previous=earlier,
        modality=modality_of(target),
        wants_uncertainty=outputs.uncertainty is not None,
    )
    answer = model.segmenter().segment(request)
    if outputs.uncertainty is not None:
        write_volume(outputs.uncertainty, _uncertainty(answer, model))
    mask = Mask((np.asarray(answer.probability.data) > 0.5).astype(np.uint8), grid)
    write_mask(outputs.mask, mask)
    if outputs.probability is not None:
        write_volume(outputs.probability, Volume(np.asarray(answer.probability.data, dtype=np.float32), grid))
    return {
        "model": answer.model_version,
        "images": list(volumes),
        "voxels": int(mask.foreground.sum()),
        "millilitres": round(mask.volume_ml, 3),
        "score": answer.score,
        "uncertainty": None if outputs.uncertainty is None or answer.score is None else round(1.0 - answer.score, 4),
        "used": dict(answer.used),
    }


def _uncertainty(answer: "Segmentation", model: ChosenModel) -> Volume:
    if answer.uncertainty is None:
        raise RejectedInput(
            "uncertainty-none",
            f"{model.title} does not say how sure it is.",
            remedy="Leave --uncertainty out, or choose a model that draws by itself, such as unet-25d or unet-3d.",
        )
    return answer.uncertainty


def _pointed_at(prompts: Prompts, pictures: PicturePlane) -> tuple[int, ...] | None:
    """For methods that draw slice by slice: the slices with a prompt; None for all slices if a box has depth."""
    from training.prompts.picture_boxes import read_boxes

    if prompts.is_empty:
        return None
    read = read_boxes(prompts, pictures)
    return None if read.deep is not None else tuple(sorted(read.boxes))


def _to_world(grid: Grid) -> Callable[[PointMm], PointMm]:
    def world(voxel: PointMm) -> PointMm:
        x, y, z = (float(value) for value in np.ravel(grid.to_world([voxel])))
        return x, y, z

    return world
