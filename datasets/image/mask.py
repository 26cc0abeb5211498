"""Mask: a label map on a grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Grid, Volume

Inside = NDArray[np.bool_]
"""A mask of one label as an array without its grid: True inside, in two or three axes."""

TUMOUR = "Tumour"
OEDEMA = "Oedema"

_WHOLE = 1e-3
"""How far a stored label may lie from a whole number: what scaling in float32 loses."""

DEFAULT_LABELS: Mapping[int, str] = MappingProxyType({1: TUMOUR})


@dataclass(frozen=True, eq=False)
class Mask:
    """A label map: 0 is background, every other value a named label.

    Args:
        data: uint8 array of `grid.shape`.
        grid: Where its voxels lie.
        labels: Name of each value that may occur.

    Raises:
        GeometryError: `data` has another shape than `grid`.
    """

    data: NDArray[np.uint8]
    grid: Grid
    labels: Mapping[int, str] = field(default_factory=lambda: DEFAULT_LABELS)

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.grid.shape:
            raise GeometryError(
                "mask-shape",
                f"Expected a mask of {self.grid.shape}, got {tuple(self.data.shape)}.",
                remedy="Draw or resample the mask on the grid of its image.",
            )

    @property
    def foreground(self) -> Inside:
        """Boolean array of `grid.shape`: every labelled voxel."""
        return self.data > 0

    @property
    def holds_corners(self) -> bool:
        """Whether all corners of the picture are labelled, as where a value stands for the background."""
        ends = np.ix_(*[(0, size - 1) for size in self.grid.shape])
        return bool(self.foreground[ends].all())

    @property
    def volume_ml(self) -> float:
        """Volume of all labelled voxels in millilitres."""
        return float(np.count_nonzero(self.data)) * self.grid.voxel_volume_mm3 / 1000.0

    def label_volumes_ml(self) -> dict[str, float]:
        """Volume of each label by its name in millilitres, 0 for one that does not occur."""
        counts = np.bincount(self.data.ravel(order="K"), minlength=256)
        return {name: float(counts[value]) * self.grid.voxel_volume_mm3 / 1000.0 for value, name in self.labels.items()}

    def label(self, name: str) -> Inside:
        """Boolean array of `grid.shape`: the voxels of one label; all False where the name does not occur."""
        values = [value for value, known in self.labels.items() if known == name]
        return np.isin(self.data, values)


def label_alone(mask: Mask, name: str) -> Mask:
    """One label as a mask of its own, with value 1; empty where the name does not occur."""
    return Mask(mask.label(name).astype(np.uint8), mask.grid, MappingProxyType({1: name}))


def tumour_alone(mask: Mask) -> Mask:
    """The label called `TUMOUR` as a mask of its own, or all there is where no label has that name."""
    has_tumour = TUMOUR in mask.labels.values()
    return Mask((mask.label(TUMOUR) if has_tumour else mask.foreground).astype(np.uint8), mask.grid)


def as_mask(volume: Volume, labels: Mapping[int, str] = DEFAULT_LABELS) -> Mask:
    """A volume of label values as a mask.

    Raises:
        RejectedInput: ``mask-not-finite``, ``mask-negative``, ``mask-too-large`` or ``mask-not-whole``: its values are
            not whole numbers from 0 to 255.
    """
    values = np.asarray(volume.data, dtype=np.float32)
    if not np.isfinite(values).all():
        raise _no_labels("mask-not-finite", "some that are no numbers")
    if values.min() < -_WHOLE:
        raise _no_labels("mask-negative", "negative ones")
    if values.max() > 255 + _WHOLE:
        raise _no_labels("mask-too-large", "larger ones")
    rounded = np.rint(values)
    if np.abs(values - rounded).max() > _WHOLE:
        raise _no_labels("mask-not-whole", "fractions")
    return Mask(rounded.astype(np.uint8), volume.grid, labels)


def _no_labels(code: str, found: str) -> RejectedInput:
    return RejectedInput(
        code,
        f"Expected whole numbers from 0 to 255 in a mask, got {found}.",
        remedy="Save the mask as a label map, not as an image or a probability.",
    )
