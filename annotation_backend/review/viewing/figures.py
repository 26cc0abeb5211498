"""Numbers of a mask for its reviewer: volume, diameters, area over slices, what looks odd, and what changed.

Everything is measured in the box around the mask, so that a large case takes no longer than a large tumour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.stages.hiding import hidden_readings
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.image.mask_box import mask_box
from datasets.image.volume import Affine, Grid
from datasets.pictures.picture_plane import PicturePlane
from training.adjudication.disagreement import disagreement
from training.measures.diameter import Diameter, Diameters, Place
from training.measures.shape import Oddity, Shape, ShapeFinding, shape_of

MASKS_IN_MEMORY = 8
MOST_FINDINGS = 40
"""Things to look at that are listed."""

_WORDS = {
    Oddity.PIECE: "Piece apart, {amount:.0f} mm³",
    Oddity.HOLE: "Hole, {amount:.0f} mm³",
    Oddity.GAP: "Gap of {amount:.0f}",
    Oddity.AREA_JUMP: "Area × {amount:.1f}",
    Oddity.SHIFT: "Shift, {amount:.0f} mm",
}


@dataclass(frozen=True)
class BoxedLabel:
    """The learned label of a mask, cut to the box that holds it.

    Args:
        inside: Boolean, the box's part of the grid.
        start: The box's first voxel (i, j, k).
        volumes_ml: Volume of every label of the whole mask.
        shape: The label in numbers, with places in the box.
    """

    inside: Inside
    start: tuple[int, int, int]
    volumes_ml: dict[str, float]
    shape: Shape


def figures_of(mask: CaseMask, former: CaseMask | None = None, *, readers: Sequence[CaseMask] = ()) -> dict[str, Any]:
    """The numbers of a mask as plain values; places are voxels (i, j, k) of the case's grid, or slices.

    Args:
        mask: The mask, with its case.
        former: The version to compare with.
        readers: Readers' own masks, of which it is told where they differ.

    Raises:
        DamagedFile: A mask's file is not the one that was written.
    """
    plane = picture_plane(mask.case)
    found = _boxed(mask, plane)
    change = _largest_change(found, _boxed(former, plane), plane) if former is not None else None
    findings = [_finding(one, found.start, plane) for one in found.shape.findings]
    return {
        "label": mask.case.protocol.learned_label.name,
        "volumes": [{"name": name, "ml": round(ml, 2)} for name, ml in found.volumes_ml.items()],
        "areas": _areas(found, plane),
        "diameters": _diameters(found.shape.diameters, found.start),
        "findings": [*findings[:MOST_FINDINGS], *_differences([_boxed(one, plane) for one in readers], plane)],
        "change": change,
    }


def former_of(case: Case, key: str, person: User) -> CaseMask | None:
    """The version of a case's mask that an address names, as far as a person may see it; None where it names none."""
    if not (key.isascii() and key.isdigit() and len(key) < 12):
        return None
    masks = CaseMask.objects.select_related("case__study").exclude(reading__in=hidden_readings(person, case))
    return masks.filter(case=case, pk=int(key)).first()


def _boxed(mask: CaseMask, plane: PicturePlane) -> BoxedLabel:
    stored = mask_file(mask)
    label = mask.case.protocol.learned_label.name
    labels = tuple(sorted(mask.label_names.items()))
    return _read(whole_file(stored), stored.sha256, label, labels=labels, axis=plane.slice_axis)


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str, label: str, *, labels: tuple[tuple[int, str], ...], axis: int) -> BoxedLabel:
    """The box of a mask that was compared with its digest just now; only the box stays in memory."""
    return boxed(read_mask(path, labels=dict(labels)), label, axis)


def boxed(mask: Mask, label: str, slice_axis: int) -> BoxedLabel:
    """A label of a mask in the box that holds it; in a box of one voxel where it does not occur."""
    inside = mask.label(label)
    box = mask_box(inside) or (slice(0, 1),) * 3
    i, j, k = (along.start for along in box)
    part = inside[box].copy()
    width, height, depth = part.shape
    shape = shape_of(part, Grid((width, height, depth), _moved(mask.grid, (i, j, k))), slice_axis)
    return BoxedLabel(part, (i, j, k), mask.label_volumes_ml(), shape)


def _areas(found: BoxedLabel, plane: PicturePlane) -> list[float]:
    """Area on each slice of the grid in square millimetres."""
    areas = np.zeros(plane.slice_count)
    first = found.start[plane.slice_axis]
    areas[first : first + len(found.shape.areas_mm2)] = found.shape.areas_mm2
    return [round(float(area), 2) for area in areas]


def _diameters(found: Diameters | None, start: tuple[int, int, int]) -> dict[str, Any] | None:
    return None if found is None else {"long": _line(found.longest, start), "short": _line(found.short, start)}


def _line(line: Diameter, start: tuple[int, int, int]) -> dict[str, Any]:
    return {"mm": round(line.length_mm, 1), "ends": [_shifted(end, start) for end in line.ends]}


def _finding(one: ShapeFinding, start: tuple[int, int, int], plane: PicturePlane) -> dict[str, Any]:
    index = one.slice_index + start[plane.slice_axis]
    words = f"{_WORDS[one.kind].format(amount=one.amount)}: slice {index}"
    return {"voxel": _shifted(one.voxel, start), "slice": index, "words": words}


def _shifted(voxel: Place | tuple[int, int, int], start: tuple[int, int, int]) -> list[float]:
    return [round(at + first, 2) for at, first in zip(voxel, start, strict=True)]


def _largest_change(now: BoxedLabel, before: BoxedLabel, plane: PicturePlane) -> dict[str, Any] | None:
    """The slice on which most voxels differ from the version before; None where nothing does."""
    low, high = np.minimum(now.start, before.start), np.maximum(_end(now), _end(before))
    differs = _laid_into(now, low, high) ^ _laid_into(before, low, high)
    across = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    counts = np.count_nonzero(differs, axis=across)
    if not counts.any():
        return None
    row_mm, column_mm = plane.pixel_spacing_mm
    first, largest = int(low[plane.slice_axis]), int(counts.argmax())
    return {
        "slice": first + largest,
        "mm2": round(float(counts[largest]) * row_mm * column_mm, 1),
        "slices": [first + int(index) for index in np.flatnonzero(counts)],
    }


def _differences(readers: Sequence[BoxedLabel], plane: PicturePlane) -> list[dict[str, Any]]:
    """Where readers differ, the largest region first."""
    if len(readers) < 2:
        return []
    low = np.min([one.start for one in readers], axis=0)
    high = np.max([_end(one) for one in readers], axis=0)
    masks = {str(number): _laid_into(one, low, high) for number, one in enumerate(readers)}
    i, j, k = (int(at) for at in low)
    width, height, depth = (int(size) for size in high - low)
    grid = Grid((width, height, depth), _moved(plane.grid, (i, j, k)))
    return [
        {
            "voxel": _shifted(region.part.voxel, (i, j, k)),
            "slice": region.part.largest_slice + (i, j, k)[plane.slice_axis],
            "words": f"Readers differ, {region.part.volume_mm3:.0f} mm³: "
            f"slice {region.part.largest_slice + (i, j, k)[plane.slice_axis]}",
        }
        for region in disagreement(masks, grid, plane.slice_axis).regions[:MOST_FINDINGS]
    ]


def _moved(grid: Grid, start: tuple[int, int, int]) -> Affine:
    """The affine of a part of a grid."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array(start))
    return affine


def _end(found: BoxedLabel) -> NDArray[np.int64]:
    return np.add(found.start, found.inside.shape)


def _laid_into(found: BoxedLabel, low: NDArray[np.int64], high: NDArray[np.int64]) -> Inside:
    whole = np.zeros(tuple(high - low), dtype=np.bool_)
    starts = np.subtract(found.start, low)
    whole[tuple(slice(at, at + size) for at, size in zip(starts, found.inside.shape, strict=True))] = found.inside
    return whole
