"""Post-processing of masks: removal of stray islands and holes, and the choice of it for a model.

Islands are components that touch not even at a corner; a hole is background that no path of faces leads out of. A hole
is searched in the whole volume (or picture), not slice by slice.

Source: InteractiveNet chooses among the same four for each fold by the Dice of its validation cases.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from training.measures.metrics import dice

Probability = NDArray[np.float32]

_FACES = {2: 4, 3: 6}
_CORNERS = {2: 8, 3: 26}
"""Neighbours of a voxel by the number of axes, as cc3d names them."""


class Cleaning(StrEnum):
    """Post-processing of a mask; the simpler first."""

    NONE = "none"
    FILL_HOLES = "fill-holes"
    LARGEST_COMPONENT = "largest-component"
    BOTH = "both"
    """The largest component, and then its holes."""


def cleaned(probability: Probability, cleaning: Cleaning) -> Probability:
    """A probability whose mask (above 0.5) is cleaned.

    Args:
        probability: float32 array of two or three axes, 0..1.
        cleaning: The post-processing.

    Returns:
        The array itself if nothing changes, else a copy; see `imposed` for the probabilities.
    """
    if cleaning is Cleaning.NONE:
        return probability
    return imposed(probability, cleaned_mask(probability > 0.5, cleaning))


def cleaned_mask(mask: Inside, cleaning: Cleaning) -> Inside:
    """A mask without the parts that cleaning removes.

    Args:
        mask: Boolean array of two or three axes.
        cleaning: The post-processing.

    Returns:
        The array itself without post-processing, else a new one of the same shape.
    """
    if cleaning is Cleaning.NONE:
        return mask
    found = np.zeros_like(mask)
    if (box := mask_box(mask)) is not None:
        inside = mask[box]
        if cleaning in (Cleaning.LARGEST_COMPONENT, Cleaning.BOTH):
            inside = _largest(inside)
        if cleaning in (Cleaning.FILL_HOLES, Cleaning.BOTH):
            inside = _filled(inside)
        found[box] = inside
    return found


def imposed(probability: Probability, mask: Inside) -> Probability:
    """A probability changed to agree with a mask: 0 in voxels the mask lost, 1 in voxels it gained, else unchanged.

    Probabilities below 0.5 around a removed island stay: they were never inside.

    Args:
        probability: float32 array, 0..1.
        mask: Boolean array of its shape.

    Returns:
        The array itself if mask and probability agree already, else a copy.
    """
    differs = (probability > 0.5) != mask
    if not differs.any():
        return probability
    return np.where(differs, mask.astype(np.float32), probability)


def best_cleaning(pairs: Iterable[tuple[Inside, Inside]]) -> Cleaning:
    """The cleaning with the best mean Dice on validation cases; of two that are equal, the simpler.

    Args:
        pairs: Predicted and reference mask of each case, in one shape; read once.

    Raises:
        RejectedInput: There are no pairs.
        GeometryError: The masks of a pair differ in shape.
    """
    return best_of_scores([cleaning_scores(found, reference) for found, reference in pairs])


def cleaning_scores(found: Inside, reference: Inside) -> list[float]:
    """Dice of a predicted mask with each `Cleaning`, in their order.

    Raises:
        GeometryError: The masks differ in shape.
    """
    return [dice(cleaned_mask(found, each), reference) for each in Cleaning]


def best_of_scores(scores: Sequence[Sequence[float]]) -> Cleaning:
    """The cleaning with the best mean Dice; of two that are equal, the simpler.

    Args:
        scores: `cleaning_scores` of each validation case.

    Raises:
        RejectedInput: There are none.
    """
    if not scores:
        raise RejectedInput(
            "no-validation-cases",
            "There is no validation case to choose the post-processing on.",
            remedy="Give a fold with validation cases.",
        )
    means = np.round(np.mean(scores, axis=0), 9)
    return list(Cleaning)[int(np.argmax(means))]


def _largest(mask: Inside) -> Inside:
    """The largest component of a mask that is not empty."""
    import cc3d

    labels, count = cc3d.connected_components(mask, connectivity=_CORNERS[mask.ndim], return_N=True)
    if count <= 1:
        return mask
    largest: Inside = labels == 1 + int(np.argmax(np.bincount(labels.ravel(order="K"))[1:]))
    return largest


def _filled(mask: Inside) -> Inside:
    """A mask with its holes filled; a rim of one voxel around the array counts as outside."""
    import cc3d

    around = np.pad(mask, 1)
    outside = cc3d.connected_components(~around, connectivity=_FACES[mask.ndim])
    filled: Inside = (outside != outside.flat[0])[(slice(1, -1),) * mask.ndim]
    return filled
