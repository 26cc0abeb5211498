"""How much of the same body two stacks of slices show."""

import numpy as np

from datasets.image.volume import Grid

_SAMPLES = 9
"""Points along each axis at which a stack is sampled: 5 % of a volume is told from 10 %."""


def overlap(one: Grid, other: Grid) -> float:
    """The larger of the two shares of one stack that lies inside the other, from 0 to 1.

    So a small stack inside a large one overlaps wholly. Both must be in one frame of reference.
    """
    return max(share_inside(one, other), share_inside(other, one))


def share_inside(one: Grid, other: Grid) -> float:
    """The share of one stack's volume that lies inside the other, from 0 to 1, by sampling."""
    fractions = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    steps = [fractions * size - 0.5 for size in one.shape]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    voxels = other.to_voxel(one.to_world(points))
    inside = (voxels >= -0.5) & (voxels <= np.array(other.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def share_of_slices(one: Grid, other: Grid) -> float:
    """The share of one stack's slices, from 0 to 1, whose centres lie between the first and the last of the other.

    Slices are the stack's third axis. The field of view within the slices does not matter. Both must be in one frame of
    reference.
    """
    middle = (np.array(one.shape[:2]) - 1) / 2
    centres = np.column_stack([np.tile(middle, (one.shape[2], 1)), np.arange(one.shape[2])])
    places = other.to_voxel(one.to_world(centres))[:, 2]
    return float(((places >= -0.5) & (places <= other.shape[2] - 0.5)).mean())
