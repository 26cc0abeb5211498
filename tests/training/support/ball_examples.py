"""Examples that anything learns from: a bright ball in noise, elsewhere in every case, in the images asked for."""

from collections.abc import Sequence

import numpy as np

from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from tests.training.support.synthetic import lps_grid
from training.fitting.examples import Example

CONTRAST = {"t1": (200.0, 300.0), "t2": (100.0, 500.0), "ct": (-80.0, 60.0), "pet": (1.0, 8.0)}
"""Background and ball of each kind of image."""


def ball(grid: Grid, centre: Sequence[float], radius_mm: float) -> np.ndarray:
    """Where a ball is; the centre in voxels."""
    away = (np.indices(grid.shape).reshape(3, -1).T - np.array(centre)) * grid.spacing
    inside: np.ndarray = (np.linalg.norm(away, axis=1) < radius_mm).reshape(grid.shape)
    return inside


def ball_example(
    number: int,
    channels: Sequence[str] = ("t1",),
    *,
    shape: tuple[int, int, int] = (36, 32, 18),
    spacing: tuple[float, float, float] = (1.5, 1.5, 3.0),
    patient: str | None = None,
) -> Example:
    """The example of a number."""
    random = np.random.default_rng(number)
    grid = lps_grid(shape, spacing)
    inside = ball(grid, np.array(shape) * random.uniform(0.4, 0.6, 3), float(random.uniform(8.0, 12.0)))
    volumes = {}
    for name in channels:
        low, high = CONTRAST[name]
        noise = random.normal(0, 0.05 * (high - low), shape)
        volumes[name] = Volume((low + (high - low) * inside + noise).astype(np.float32), grid)
    return Example(f"case-{number}", patient or f"patient-{number}", volumes, Mask(inside.astype(np.uint8), grid))
