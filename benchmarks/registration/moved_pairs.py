"""Pairs of images whose true motion is known: a T1 and a T2-like partner made from it.

The partner has another contrast (not a function of T1's: the tumour is brighter than its T1 says), another grid,
noise and a bias field, and shows the T1 after a known motion. So its anatomy is real and its contrast is not; a figure
measured on such pairs speaks of the search for the motion, not of how T1 and T2 differ in a scanner.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curation.registration.similarity import affine_points
from datasets.image.intensity import percentile_window
from datasets.image.mask import Mask
from datasets.image.resample import resample_volume
from datasets.image.volume import Affine, Grid, Volume

MAX_ROTATION_DEGREES = 15.0
MAX_SHIFT_MM = 20.0
MAX_STRETCH = 0.05
MAX_SHEAR = 0.03

FAT_SATURATED = ((0.0, 0.0), (0.1, 0.12), (0.3, 0.35), (0.45, 0.8), (0.7, 0.4), (1.0, 0.1))
"""T1's grey value, 0 to 1, to T2's: air stays black, fluid-like greys become bright, fat dark."""


@dataclass(frozen=True, eq=False)
class MovedPair:
    """A T1, its partner, and the truth.

    Args:
        t1: T1 as it is.
        t2: The partner on its own grid.
        truth: (4, 4) RAS+ millimetres of `t2` to RAS+ millimetres of `t1`.
        points: (n, 3) RAS+ millimetres of `t2`, inside the body and seen by both.
    """

    t1: Volume
    t2: Volume
    truth: Affine
    points: NDArray[np.float64]

    def error_mm(self, transform: Affine) -> float:
        """Target registration error: mean distance over `points` from where the truth takes them."""
        return float(
            np.linalg.norm(
                affine_points(transform, self.points) - affine_points(self.truth, self.points), axis=1
            ).mean()
        )


def moved_pair(t1: Volume, tumour: Mask | None, *, seed: int, affine: bool = False) -> MovedPair:
    """The pair of one T1 and one seed.

    Args:
        t1: Any MR volume.
        tumour: Region of T1 in which the partner is brighter, on T1's grid; None for no region.
        seed: Draws motion, grid, contrast, noise and bias field.
        affine: Whether the motion stretches and shears too.
    """
    rng = np.random.default_rng(seed)
    truth = random_motion(rng, centre=t1.grid.centre_mm, affine=affine)
    grid = _other_grid(t1.grid, truth, rng)
    image = _contrast(t1, tumour, rng)
    seen = np.asarray(resample_volume(image, grid, transform=truth, outside=np.nan).data, dtype=np.float64)
    inside = np.isfinite(seen)
    values = np.where(inside, seen, 0.0) * _bias(grid, rng)
    noise = rng.uniform(0.02, 0.05)
    values = np.hypot(values + rng.normal(0, noise, values.shape), rng.normal(0, noise, values.shape))
    body = inside & (seen > 0.1)
    voxels = np.argwhere(body)
    chosen = voxels[rng.choice(len(voxels), size=min(2000, len(voxels)), replace=False)]
    t2 = Volume((np.where(inside, values, 0.0) * 1000).astype(np.float32), grid)
    return MovedPair(t1, t2, truth=truth, points=grid.to_world(chosen))


def random_motion(rng: np.random.Generator, *, centre: NDArray[np.float64], affine: bool) -> Affine:
    """A motion about `centre`: up to 15 degrees and 20 mm, with up to 5 % stretch and 3 % shear where `affine`."""
    from scipy.spatial.transform import Rotation

    axis = _direction(rng)
    linear = Rotation.from_rotvec(axis * np.radians(rng.uniform(0, MAX_ROTATION_DEGREES))).as_matrix()
    if affine:
        stretch = np.diag(1 + rng.uniform(-MAX_STRETCH, MAX_STRETCH, 3))
        shear = np.eye(3) + np.triu(rng.uniform(-MAX_SHEAR, MAX_SHEAR, (3, 3)), 1)
        linear = linear @ stretch @ shear
    shift = _direction(rng) * rng.uniform(0, MAX_SHIFT_MM)
    motion = np.eye(4)
    motion[:3, :3] = linear
    motion[:3, 3] = centre + shift - linear @ centre
    return motion


def mirrored(pair: MovedPair) -> MovedPair:
    """The same pair with the other leg's T1: mirrored left to right about the middle of its field of view."""
    flipped = np.ascontiguousarray(np.asarray(pair.t1.data)[::-1])
    return replace(pair, t1=Volume(flipped, pair.t1.grid))


def cropped(pair: MovedPair, *, share: float, axis: int, at_end: bool) -> MovedPair:
    """The same pair with only `share` of T1 along an axis left."""
    size = pair.t1.grid.shape[axis]
    keep = max(4, round(size * share))
    start = size - keep if at_end else 0
    data = np.take(np.asarray(pair.t1.data), np.arange(start, start + keep), axis=axis)
    affine = pair.t1.grid.affine.copy()
    offset = np.zeros(3)
    offset[axis] = start
    affine[:3, 3] = pair.t1.grid.to_world(offset)
    return replace(pair, t1=Volume(data, Grid((data.shape[0], data.shape[1], data.shape[2]), affine)))


def _contrast(t1: Volume, tumour: Mask | None, rng: np.random.Generator) -> Volume:
    from scipy.ndimage import gaussian_filter

    low, high = percentile_window(t1.data)
    scaled = np.clip((np.asarray(t1.data, dtype=np.float64) - low) / (high - low), 0, 1)
    greys, values = np.array(FAT_SATURATED).T
    values = values * rng.uniform(0.8, 1.2, len(values))
    image = np.interp(scaled, greys, values)
    if tumour is not None:
        spread = [1.5 / step for step in t1.grid.spacing]
        image += rng.uniform(0.2, 0.5) * gaussian_filter(tumour.foreground.astype(np.float64), spread) * (scaled > 0.05)
    return Volume(image.astype(np.float32), t1.grid)


def _other_grid(grid: Grid, truth: Affine, rng: np.random.Generator) -> Grid:
    """A grid of other spacing and tilt around the same place as the moved T1."""
    from scipy.spatial.transform import Rotation

    spacing = np.array([step := rng.uniform(0.7, 1.2), step, rng.uniform(3.0, 5.0)])
    extent = np.array(grid.shape) * grid.spacing
    order = np.argsort(grid.spacing, kind="stable")
    axes = grid.affine[:3, :3] / np.array(grid.spacing)
    shape = np.ceil(extent[order] / spacing).astype(int)
    tilt = Rotation.from_rotvec(_direction(rng) * np.radians(rng.uniform(0, 8))).as_matrix()
    linear = tilt @ axes[:, order] * spacing
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = grid.centre_mm - linear @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _bias(grid: Grid, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth field around 1, (i, j, k): the exponential of a random quadratic."""
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in grid.shape], indexing="ij")
    field = np.zeros(grid.shape)
    for one in range(3):
        field += rng.uniform(-0.2, 0.2) * axes[one]
        for other in range(one, 3):
            field += rng.uniform(-0.1, 0.1) * axes[one] * axes[other]
    return np.exp(field)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)
