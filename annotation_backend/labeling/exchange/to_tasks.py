"""A label map to a file of tasks that Label Studio imports: a task a slice, its labels annotations or predictions."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from annotation_backend.labeling.exchange.export_masks import MASK_FORMAT
from annotation_backend.labeling.exchange.picture_corners import corners_as_list
from annotation_backend.labeling.masks.regions import MaskFormat, region_of
from datasets.errors import RejectedInput
from datasets.files import write_bytes
from datasets.finding import Finding
from datasets.formats.nifti import NIFTI_SUFFIXES, read_mask
from datasets.image.lattice import mask_on
from datasets.image.mask import DEFAULT_LABELS, Mask
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane

_LARGEST_SIDECAR = 64 << 20
_FIELD = re.compile(r"\{(case|slice)(?::0(\d))?\}")


class Drawn(StrEnum):
    """Kind of a mask in Label Studio: someone's annotation, or a model's prediction."""

    ANNOTATIONS = "annotations"
    PREDICTIONS = "predictions"


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label map with how it is cut into pictures, its case's code where one is known, and findings about it."""

    mask: Mask
    plane: PicturePlane
    case: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class TaskForm:
    """Form in which tasks are written.

    Args:
        drawn: As annotations or as predictions.
        mask_format: Brush or bitmask.
        picture: Address of a slice's picture, with ``{case}`` and ``{slice}`` (``{slice:04}`` for four digits).
        data_key: Name of the picture in the task's data, as the labelling interface has it.
        from_name: The control's name; None for the format's own.
        to_name: The image's name; None for ours.
        model_version: Model and version that a prediction names.
    """

    drawn: Drawn = Drawn.ANNOTATIONS
    mask_format: MaskFormat = MaskFormat.BRUSH
    picture: str = "{case}_{slice:04}.png"
    data_key: str = "image"
    from_name: str | None = None
    to_name: str | None = None
    model_version: str = "imported"


def read_label_map(
    path: Path,
    *,
    labels: Mapping[int, str] | None = None,
    cut: AnatomicalPlane = AnatomicalPlane.AXIAL,
    case: str | None = None,
) -> LabelMap:
    """A label map with the description in the JSON beside it, if there is one.

    Args:
        path: NIfTI.
        labels: Names of the values; None for those of the JSON, or else tumour for 1.
        cut: The plane in which to cut it where the JSON does not say.
        case: The case's code; None for that of the JSON.

    Raises:
        RejectedInput: Unreadable, or with values that have no name (``mask-labels``), or its JSON is of another grid.
    """
    beside = _sidecar(path)
    mask = read_mask(path, labels=labels or beside.mask_labels or DEFAULT_LABELS)
    unnamed = sorted({int(value) for value in set(mask.data[mask.foreground].tolist())} - set(mask.labels))
    if unnamed:
        raise RejectedInput(
            "mask-labels",
            f"These values of the mask have no name: {', '.join(map(str, unnamed[:5]))}.",
            remedy="Name the values, e.g. --labels 1=Tumour 2=Oedema.",
        )
    if beside.plane is None:
        return LabelMap(mask, PicturePlane.of(mask.grid, anatomical=cut), case or beside.case)
    mask, findings = mask_on(mask, beside.plane.grid, what="The mask, beside its JSON")
    return LabelMap(mask, beside.plane, case or beside.case, findings)


def tasks_of(volume: LabelMap, form: TaskForm) -> Iterator[dict[str, Any]]:
    """One task a slice, by rising index; a slice without a mask has an empty result.

    Its picture's corners in millimetres prove, when the task comes back, how the picture was cut.
    """
    name = {"from_name": form.from_name, "to_name": form.to_name}
    changes = {key: value for key, value in name.items() if value is not None}
    for index in range(volume.plane.slice_count):
        picture = volume.plane.to_picture(volume.mask.data, index)
        regions = [
            region_of(picture == value, region_id=f"s{index}v{value}", score=None, label=label,
                      mask_format=form.mask_format) | changes
            for value, label in volume.mask.labels.items()
            if (picture == value).any()
        ]  # fmt: skip
        data = {
            form.data_key: _address(form.picture, volume.case, index),
            "slice": index,
            "corners": corners_as_list(volume.plane, index),
        }
        drawn: dict[str, Any] = {"result": regions}
        if form.drawn is Drawn.PREDICTIONS:
            drawn["model_version"] = form.model_version
        yield {"data": data | ({"case": volume.case} if volume.case else {}), form.drawn.value: [drawn]}


def nifti_to_tasks(volume: LabelMap, out: Path, *, form: TaskForm, overwrite: bool = False) -> int:
    """Writes the tasks of a label map, whole or not at all.

    Returns:
        How many tasks have a mask.

    Raises:
        RejectedInput: The file is there already (``out-exists``).
    """
    if os.path.lexists(out) and not overwrite:
        raise RejectedInput(
            "out-exists",
            "There is a file of this name already.",
            remedy="Name another or --overwrite.",
        )
    tasks = list(tasks_of(volume, form))
    write_bytes(out, json.dumps(tasks, separators=(",", ":")).encode())
    return sum(bool(task[form.drawn.value][0]["result"]) for task in tasks)


@dataclass(frozen=True, eq=False)
class _Sidecar:
    mask_labels: Mapping[int, str] | None = None
    plane: PicturePlane | None = None
    case: str | None = None


def _sidecar(path: Path) -> _Sidecar:
    """The JSON beside a mask under its name; an empty one where there is no file, or one that is not ours."""
    suffix = next(
        (suffix for suffix in sorted(NIFTI_SUFFIXES, key=len, reverse=True) if path.name.endswith(suffix)), ""
    )
    if not suffix:  # no mask, or no file at all, as a folder
        return _Sidecar()
    beside = path.with_name(path.name.removesuffix(suffix) + ".json")
    if not beside.is_file() or beside.stat().st_size > _LARGEST_SIDECAR:
        return _Sidecar()
    try:
        values = json.loads(beside.read_bytes())
        if not isinstance(values, dict) or values.get("format") != MASK_FORMAT:
            return _Sidecar()
        labels = {int(value): str(label) for value, label in values["labels"].items()}
        case = values["case"]
        return _Sidecar(labels, PicturePlane.from_dict(values["plane"]), case if isinstance(case, str) else None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RejectedInput(
            "mask-description",
            f"The {MASK_FORMAT} beside the mask is broken ({type(error).__name__}).",
            remedy="Convert the export again, or remove the JSON.",
        ) from error


def _address(picture: str, case: str | None, index: int) -> str:
    def filled(field: re.Match[str]) -> str:
        return (case or "volume") if field[1] == "case" else f"{index:0{field[2] or 1}d}"

    return _FIELD.sub(filled, picture)
