"""Clicks that a simulated user makes: in the tumour first, then where the drawn mask is wrong.

Two rules. DeepGrow (MONAI, apps/deepgrow/transforms.py) takes the sign with more wrong voxels, missing tumour winning a
draw, and clicks among all voxels of that sign, with a chance proportional to exp(distance to the border) - 1. 2S-ICR
(Saukkoriipi et al. 2025, section 4.2) clicks among all wrong voxels of both signs, with a chance proportional to the
distance; the voxel drawn gives the sign.

The distance is the chessboard distance, 1 at a region's edge; 2S-ICR's article names no metric and follows DeepGrow's
simulator, hence the same one. What lies beyond the array counts as outside the region, so that a tumour cut off by the
border is clicked in its middle. MONAI differs there: its transform sees no border at the array's edge and draws most
clicks of a cut tumour right at it. Regions that do not touch the edge get MONAI's distances exactly. An axis of
length 1 (a single slice in a 3D array) has no border along it, as in MONAI.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask_box import mask_box

Index = tuple[int, ...]


class ClickRule(StrEnum):
    """The published rule by which a simulated user clicks."""

    DEEPGROW = "deepgrow"
    TWO_STAGE = "2s-icr"


@dataclass(frozen=True)
class SimulatedClick:
    """A voxel and its sign: missed tumour (positive) or background (negative)."""

    index: Index
    positive: bool


def first_click(target: NDArray[np.bool_], random: np.random.Generator, rule: ClickRule = ClickRule.DEEPGROW) -> Index:
    """The first click: a voxel of the tumour, preferably deep inside.

    Args:
        target: bool of any shape with one axis or more; whole numbers count where they are not 0.
        random: Generator of the choices.
        rule: How much depth counts.

    Raises:
        RejectedInput: No voxel is inside, or the array holds fractions.
    """
    return _drawn_voxel(_mask(target), random, rule)


def next_click(
    target: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    random: np.random.Generator,
    *,
    rule: ClickRule = ClickRule.DEEPGROW,
) -> SimulatedClick | None:
    """The click that corrects a mask; None if there is nothing to correct.

    Args:
        target: The true mask, bool of any shape; whole numbers count where they are not 0.
        predicted: The mask to correct, of the same shape.
        random: Generator of the choices.
        rule: Which errors count, and how much depth does.

    Raises:
        RejectedInput: The shapes differ, or an array holds fractions.
    """
    truth, drawn = _mask(target), _mask(predicted)
    if truth.shape != drawn.shape:
        raise RejectedInput(
            "click-shapes-differ",
            f"Expected two masks of one shape, got {truth.shape} and {drawn.shape}.",
            remedy="Bring both masks onto one grid.",
        )
    wrong = truth != drawn
    if not wrong.any():
        return None
    if rule is ClickRule.DEEPGROW:
        missed = truth & wrong
        extra_count = np.count_nonzero(wrong) - np.count_nonzero(missed)
        wrong = missed if np.count_nonzero(missed) >= extra_count else drawn & wrong
    index = _drawn_voxel(wrong, random, rule)
    return SimulatedClick(index, positive=bool(truth[index]))


def _mask(values: NDArray[Any]) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.dtype.kind not in "bui" or array.ndim == 0:
        raise RejectedInput(
            "click-not-a-mask",
            f"Expected a mask of booleans or whole numbers, got {array.dtype} with {array.ndim} axes.",
            remedy="Threshold the probabilities first.",
        )
    return array if array.dtype == np.bool_ else array != 0


def _require_some(region: NDArray[np.bool_]) -> None:
    if not region.any():
        raise RejectedInput(
            "click-empty-mask",
            "The mask is empty: there is no tumour to click in.",
            remedy="Leave out cases and slices without tumour.",
        )


def _drawn_voxel(region: NDArray[np.bool_], random: np.random.Generator, rule: ClickRule) -> Index:
    """One voxel, drawn in two steps that give the same chances as one: how deep, then which voxel of that depth."""
    _require_some(region)
    first, distance = _depth(region)
    count = np.bincount(distance.ravel()).astype(np.float64)
    chance = count * _weights(len(count), rule)
    depth = random.choice(len(chance), p=chance / chance.sum())
    there = np.flatnonzero(distance == depth)
    voxel = np.unravel_index(there[random.integers(len(there))], distance.shape)
    return tuple(int(at) + start for at, start in zip(voxel, first, strict=True))


def _weights(count: int, rule: ClickRule) -> NDArray[np.float64]:
    """Relative chance of a voxel by its distance 0..count-1; 0 outside the region."""
    distance = np.arange(count, dtype=np.float64)
    if rule is ClickRule.TWO_STAGE:
        return distance
    return np.exp(distance - distance[-1]) - np.exp(-distance[-1])


def _depth(region: NDArray[np.bool_]) -> tuple[Index, NDArray[np.int32]]:
    """Chessboard distance to the border, with a ring of zeros, on the region's part; and where that part starts."""
    from scipy.ndimage import distance_transform_cdt

    slices = mask_box(region) or (slice(0, 0),) * region.ndim
    thick = [length > 1 or max(region.shape) == 1 for length in region.shape]
    ring = np.pad(region[slices], [(int(on), int(on)) for on in thick])
    start = tuple(part.start - int(on) for part, on in zip(slices, thick, strict=True))
    return start, distance_transform_cdt(ring, metric="chessboard")
