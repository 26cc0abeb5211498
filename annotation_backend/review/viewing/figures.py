"""Numbers of a mask for its reviewer: volume, diameters, area over slices, what looks odd, and what changed.

Everything is counted in the box around the mask, so that a large case takes no longer than a large tumour.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.review.viewing.diameters import Diameters, longest_diameters
from annotation_backend.review.viewing.oddities import holes, jumps
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.image.mask_box import mask_box
from datasets.pictures.picture_plane import PicturePlane

MASKS_IN_MEMORY = 8


@dataclass(frozen=True)
class Cropped:
    """The learned label of a mask, cut to the box that holds it.

    Args:
        inside: Boolean, the box's part of the grid.
        start: The box's first voxel (i, j, k).
        volumes_ml: Volume of every label of the whole mask.
    """

    inside: Inside
    start: tuple[int, int, int]
    volumes_ml: dict[str, float]


def figures_of(mask: CaseMask, former: CaseMask | None = None) -> dict[str, Any]:
    """The numbers of a mask as plain values; places are voxels (i, j, k) of the case's grid, or slices.

    Args:
        mask: The mask, with its case.
        former: The version to compare with.

    Raises:
        DamagedFile: A mask's file is not the one that was written.
    """
    plane = picture_plane(mask.case)
    cropped = _cropped_of(mask)
    areas = _areas_mm2(cropped, plane)
    diameters = longest_diameters(cropped.inside, plane.grid, plane.slice_axis)
    change = _largest_change(cropped, _cropped_of(former), plane) if former is not None else None
    return {
        "label": mask.case.protocol.learned_label.name,
        "volumes": [{"name": name, "ml": round(ml, 2)} for name, ml in cropped.volumes_ml.items()],
        "areas": [round(area, 2) for area in areas],
        "diameters": _placed(diameters, cropped.start) if diameters is not None else None,
        "holes": [_shifted(hole, cropped.start) for hole in holes(cropped.inside, plane.slice_axis)],
        "jumps": [index + 1 for index in jumps(areas)],
        "change": change,
    }


def _cropped_of(mask: CaseMask) -> Cropped:
    stored = mask_file(mask)
    label = mask.case.protocol.learned_label.name
    return _read(whole_file(stored), stored.sha256, label, tuple(sorted(mask.label_names.items())))


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str, label: str, labels: tuple[tuple[int, str], ...]) -> Cropped:
    """The box of a mask that was compared with its digest just now; only the box stays in memory."""
    mask = read_mask(path, labels=dict(labels))
    return cropped(mask, label)


def cropped(mask: Mask, label: str) -> Cropped:
    """A label of a mask in the box that holds it; an empty box where it does not occur."""
    inside = mask.label(label)
    box = mask_box(inside) or (slice(0, 0),) * 3
    i, j, k = (along.start for along in box)
    return Cropped(inside[box].copy(), (i, j, k), mask.label_volumes_ml())


def _areas_mm2(found: Cropped, plane: PicturePlane) -> list[float]:
    """Area on each slice of the grid in square millimetres."""
    across = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    row_mm, column_mm = plane.pixel_spacing_mm
    areas = np.zeros(plane.slice_count)
    first = found.start[plane.slice_axis]
    counts = np.count_nonzero(found.inside, axis=across)
    areas[first : first + counts.size] = counts * (row_mm * column_mm)
    return [float(area) for area in areas]


def _largest_change(now: Cropped, before: Cropped, plane: PicturePlane) -> dict[str, Any] | None:
    """The slice on which most voxels differ from the version before; None where nothing does."""
    low = np.minimum(now.start, before.start)
    high = np.maximum(_end(now), _end(before))
    if (high <= low).any():
        return None
    differs = _laid_into(now, low, high) ^ _laid_into(before, low, high)
    across = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    counts = np.count_nonzero(differs, axis=across)
    if not counts.any():
        return None
    row_mm, column_mm = plane.pixel_spacing_mm
    largest = int(counts.argmax())
    return {
        "slice": int(low[plane.slice_axis]) + largest,
        "mm2": round(float(counts[largest]) * row_mm * column_mm, 1),
        "slices": [int(low[plane.slice_axis]) + int(index) for index in np.flatnonzero(counts)],
    }


def _end(found: Cropped) -> NDArray[np.int64]:
    return np.add(found.start, found.inside.shape)


def _laid_into(found: Cropped, low: NDArray[np.int64], high: NDArray[np.int64]) -> Inside:
    whole = np.zeros(tuple(high - low), dtype=np.bool_)
    place = tuple(slice(at, at + size) for at, size in zip(np.subtract(found.start, low), found.inside.shape, strict=True))
    whole[place] = found.inside
    return whole


def _placed(found: Diameters, start: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "long_mm": round(found.long_mm, 1),
        "short_mm": round(found.short_mm, 1),
        "long": [_shifted(end, start) for end in found.long_ends],
        "short": [_shifted(end, start) for end in found.short_ends],
    }


def _shifted(voxel: tuple[int, int, int], start: tuple[int, int, int]) -> list[int]:
    return [int(at + first) for at, first in zip(voxel, start, strict=True)]


def former_of(case: Case, key: str) -> CaseMask | None:
    """The version of a case's mask that an address names; None where it names none."""
    known = key.isascii() and key.isdigit() and len(key) < 12
    return CaseMask.objects.select_related("case__study").filter(case=case, pk=int(key)).first() if known else None
