"""Lesions counted one by one: how many of a reference were found, and how many were drawn where there is none.

A lesion is a connected part of a mask (by faces, edges or corners). One of the reference is detected where at least a
tenth of its voxels is drawn, whatever else is drawn; one that was drawn is false where less than a tenth of its voxels
lies in the reference. So a large mask that swallows a small lesion detects it and is false, and several small ones
inside one large lesion together detect it. A single voxel that touches is no detection.

Source: Maier-Hein et al., Nat Methods 2024;21:195-212 (Metrics Reloaded, localisation by intersection over reference).
"""

from dataclasses import dataclass

import numpy as np

from datasets.image.mask import Inside
from training.measures.places import BY_CORNERS, numbered_parts

LEAST_OVERLAP = 0.1
"""Share of a lesion's voxels that must be in the other mask."""


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of a case.

    Args:
        lesions: Of the reference.
        detected: Of these, how many are drawn well enough to be found.
        false: Lesions that were drawn where the reference has next to nothing.
    """

    lesions: int
    detected: int
    false: int

    @property
    def missed(self) -> int:
        """Lesions of the reference that were not detected."""
        return self.lesions - self.detected


def lesion_counts(predicted: Inside, reference: Inside) -> LesionCounts:
    """Counts the lesions of two masks on one grid.

    Args:
        predicted: 3D bool.
        reference: 3D bool of the same shape.
    """
    found, drawn = _overlaps(reference, predicted), _overlaps(predicted, reference)
    return LesionCounts(len(found), int(found.sum()), int((~drawn).sum()))


def _overlaps(mask: Inside, other: Inside) -> Inside:
    """Of each lesion of a mask, whether enough of it is in the other."""
    if not mask.any():
        return np.zeros(0, dtype=np.bool_)
    numbers = numbered_parts(mask, BY_CORNERS)
    sizes = np.bincount(numbers.ravel())
    shared = np.bincount(numbers[other & mask], minlength=sizes.size)
    enough: Inside = shared[1:] >= LEAST_OVERLAP * sizes[1:]
    return enough
