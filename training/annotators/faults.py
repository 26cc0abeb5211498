"""Faults planted into a mask, of a kind and at a place that are known: drafts that a person has to look at to mend.

Also a reader's own way of drawing: the same mask with its outline bent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid

FAULT_SIZE = 0.4
"""Of the radius of a circle as large as the slice: how far a boundary is pushed, and the radius of a blob."""

LEAST_STEP = 2.0
"""Pixels that a fault measures at least: a smaller one nobody sees."""

SLICES_AROUND = 1
"""Neighbouring slices to either side that share a pushed boundary or a blob."""

_GAP = 2.0
"""Pixels between the mask and a blob at least."""


class FaultKind(StrEnum):
    """What is wrong with a mask."""

    SHIFTED_BOUNDARY = "shifted-boundary"
    """One side of the outline lies too far out or in, in up to three slices."""
    MISSING_SLICE = "missing-slice"
    """A slice between drawn ones is empty."""
    EXTRA_BLOB = "extra-blob"
    """Something beside the tumour is drawn as well, in up to three slices."""
    WRONG_SLICE = "wrong-slice"
    """A slice shows the outline of another one."""


@dataclass(frozen=True, eq=False)
class PlantedFault:
    """A mask with a fault.

    Args:
        kind: What is wrong.
        inside: bool: the mask with the fault.
        region: bool: the voxels that were changed, where the fault is.
        slices: The slices that it lies in, in order.
    """

    kind: FaultKind
    inside: Inside
    region: Inside
    slices: tuple[int, ...]


def plant_fault(
    truth: Inside, grid: Grid, slice_axis: int, *, kind: FaultKind, random: np.random.Generator
) -> PlantedFault:
    """A mask with one fault of a kind at a random place; the same for the same state of `random`.

    Args:
        truth: bool of `grid.shape`: the known mask.
        grid: Its grid.
        slice_axis: The grid axis that runs through the slices.
        kind: What is to be wrong.
        random: Of the place and the size.

    Raises:
        RejectedInput: The mask has no place for such a fault (``no-place-for-fault``), such as one of too few slices.
    """
    slices = np.moveaxis(truth, slice_axis, 0).copy()
    spacing = np.delete(np.array(grid.spacing), slice_axis)
    drawn = np.flatnonzero(slices.any(axis=(1, 2)))
    changed = _PLANTED[kind](slices, drawn, spacing, random) if drawn.size else None
    if changed is None or np.array_equal(changed, slices):
        raise RejectedInput(
            "no-place-for-fault",
            f"There is no place for a fault of the kind {kind} in this mask of {drawn.size} slices.",
            remedy="Take another kind of fault, or a mask of more slices.",
        )
    inside = np.ascontiguousarray(np.moveaxis(changed, 0, slice_axis))
    where = np.flatnonzero((changed != slices).any(axis=(1, 2)))
    return PlantedFault(kind, inside, inside != truth, tuple(where.tolist()))


def bent_mask(
    truth: Inside, grid: Grid, *, bend_mm: float, random: np.random.Generator, wave_mm: float = 12.0
) -> Inside:
    """The mask that another reader might draw: its outline moved out and in, smoothly and at random.

    Args:
        truth: bool of `grid.shape`.
        grid: Its grid.
        bend_mm: Standard deviation of how far the outline is moved.
        random: Of the way it is moved.
        wave_mm: How quickly that changes along the outline (sigma of a Gaussian).
    """
    from edt import edt
    from scipy.ndimage import gaussian_filter

    bent = np.zeros_like(truth)
    box = mask_box(truth)
    if box is None:
        return bent
    margins = [int(np.ceil(4 * bend_mm / step)) + 1 for step in grid.spacing]
    window = tuple(
        slice(max(0, along.start - margin), min(size, along.stop + margin))
        for along, margin, size in zip(box, margins, truth.shape, strict=True)
    )
    inside = truth[window]
    depth = [
        edt(np.asfortranarray(part), anisotropy=grid.spacing, black_border=False, parallel=1)
        for part in (inside, ~inside)
    ]
    noise = gaussian_filter(random.normal(size=inside.shape), [wave_mm / step for step in grid.spacing], mode="reflect")
    spread = float(noise.std())
    bent[window] = depth[0] - depth[1] + (bend_mm / spread if spread else 0.0) * noise > 0
    return bent


def _shifted_boundary(
    slices: Inside, drawn: NDArray[np.int64], spacing: NDArray[np.float64], random: np.random.Generator
) -> Inside | None:
    middle = int(random.choice(drawn))
    angle, is_outward = random.uniform(0, 2 * np.pi), bool(random.integers(2))
    direction = np.array([np.cos(angle), np.sin(angle)])
    changed = slices.copy()
    for index in _around(middle, drawn):
        picture = slices[index]
        step = _size_mm(picture, spacing) * direction / spacing
        reach = max(1, round(float(np.abs(step).max())))
        for part in range(1, reach + 1):
            moved = _moved(picture, np.rint(step * part / reach).astype(int))
            changed[index] = changed[index] | moved if is_outward else changed[index] & moved
    return changed


def _missing_slice(
    slices: Inside, drawn: NDArray[np.int64], spacing: NDArray[np.float64], random: np.random.Generator
) -> Inside | None:
    inner = drawn[1:-1]
    if not inner.size:
        return None
    changed = slices.copy()
    changed[int(random.choice(inner))] = False
    return changed


def _extra_blob(
    slices: Inside, drawn: NDArray[np.int64], spacing: NDArray[np.float64], random: np.random.Generator
) -> Inside | None:
    """A disc beside the mask that touches it in no slice; a smaller one where the field of view has no room for it."""
    middle = int(random.choice(drawn))
    near = _around(middle, drawn)
    largest, least = _size_mm(slices[middle], spacing), LEAST_STEP * float(spacing.max())
    for radius in (largest, (largest + least) / 2, least):
        centres = _room_for_disc(np.logical_or.reduce(slices[near]), spacing, radius)
        if centres.size:
            at = centres[int(random.integers(len(centres)))]
            rows, columns = (
                (np.arange(size) - place) * step
                for size, place, step in zip(slices.shape[1:], at, spacing, strict=True)
            )
            changed = slices.copy()
            changed[near] |= np.hypot(rows[:, None], columns[None, :]) <= radius
            return changed
    return None


def _room_for_disc(drawn: Inside, spacing: NDArray[np.float64], radius: float) -> NDArray[np.int64]:
    """(N, 2) pixels around which a disc lies within the picture, near what is drawn but not touching it."""
    from edt import edt

    away = edt(np.asfortranarray(~drawn), anisotropy=tuple(spacing), black_border=False, parallel=1)
    gap = _GAP * spacing.max()
    fits = (away > radius + gap) & (away < 3 * radius + gap)
    rims = np.ceil(radius / spacing).astype(int)
    for axis, rim in enumerate(rims):
        beyond = np.arange(drawn.shape[axis])
        beyond = (beyond < rim) | (beyond >= drawn.shape[axis] - rim)
        fits &= ~np.expand_dims(beyond, 1 - axis)
    return np.argwhere(fits)


def _wrong_slice(
    slices: Inside, drawn: NDArray[np.int64], spacing: NDArray[np.float64], random: np.random.Generator
) -> Inside | None:
    """A slice with the outline of that one among the others that differs most from it."""
    if drawn.size < 2:
        return None
    index = int(random.choice(drawn[1:-1] if drawn.size > 2 else drawn))
    differs = [np.count_nonzero(slices[other] != slices[index]) for other in drawn]
    changed = slices.copy()
    changed[index] = slices[int(drawn[int(np.argmax(differs))])]
    return changed


def _around(middle: int, drawn: NDArray[np.int64]) -> list[int]:
    return [int(index) for index in drawn if abs(int(index) - middle) <= SLICES_AROUND]


def _size_mm(picture: Inside, spacing: NDArray[np.float64]) -> float:
    radius = np.sqrt(np.count_nonzero(picture) * spacing.prod() / np.pi)
    return float(max(FAULT_SIZE * radius, LEAST_STEP * spacing.max()))


def _moved(picture: Inside, steps: NDArray[np.int64]) -> Inside:
    """A picture moved by whole pixels; what comes in from beyond is outside."""
    from scipy.ndimage import shift

    moved: Inside = shift(picture.astype(np.uint8), steps, order=0, mode="constant", cval=0) > 0
    return moved


_Plant = Callable[
    [Inside, NDArray[np.int64], NDArray[np.float64], np.random.Generator],
    Inside | None,
]

_PLANTED: dict[FaultKind, _Plant] = {
    FaultKind.SHIFTED_BOUNDARY: _shifted_boundary,
    FaultKind.MISSING_SLICE: _missing_slice,
    FaultKind.EXTRA_BLOB: _extra_blob,
    FaultKind.WRONG_SLICE: _wrong_slice,
}
