"""Segments the body in an image from air, noise and the outside of the field of view."""

import numpy as np
from numpy.typing import NDArray

from datasets.image.volume import Grid, Volume

SMOOTHING_MM = 2.0
"""Width of the Gaussian that keeps noise in air and dark bone from deciding."""

CLOSING_MM = 6.0
"""Gaps up to this wide between bright parts are body: cortical bone and tendons are dark in every sequence."""

MIN_SHARE = 0.02
"""Smallest share of the image that can be the body; below it, the whole image is taken."""

_BRIGHT_SHARE = 0.25


def body_mask(volume: Volume) -> NDArray[np.bool_]:
    """The body in an MR image.

    The threshold lies between air and the tissue that is above air: Otsu's of the values below the brightest ones,
    since fat and fluid are so much brighter than muscle that Otsu's of all values would lose the muscle.

    Source: Otsu, A threshold selection method from gray-level histograms, IEEE TSMC 1979.

    Args:
        volume: MR image of any spacing; 3 to 4 mm are enough and fast.

    Returns:
        Mask of the volume's shape; all True where nothing stands out.
    """
    from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter, label
    from skimage.filters import threshold_otsu

    smooth = gaussian_filter(np.asarray(volume.data, dtype=np.float32), _voxels(SMOOTHING_MM, volume.grid))
    top = float(np.percentile(smooth, 99.0))
    low = smooth[smooth < _BRIGHT_SHARE * top + (1 - _BRIGHT_SHARE) * float(smooth.min())]
    if low.size == 0 or float(low.min()) == float(low.max()):
        return np.ones(volume.grid.shape, dtype=np.bool_)
    above = smooth > threshold_otsu(low)
    radii = np.maximum(1, np.round(_voxels(CLOSING_MM / 2, volume.grid))).astype(int)
    closed = binary_closing(np.pad(above, [(r, r) for r in radii], mode="edge"), structure=_ellipsoid(radii))
    inside = closed[tuple(slice(r, -r) for r in radii)]
    for k in range(inside.shape[int(np.argmax(volume.grid.spacing))]):
        index = [slice(None)] * 3
        index[int(np.argmax(volume.grid.spacing))] = k  # type: ignore[call-overload]
        inside[tuple(index)] = binary_fill_holes(inside[tuple(index)])
    parts, count = label(inside)
    if count == 0 or inside.mean() < MIN_SHARE:
        return np.ones(volume.grid.shape, dtype=np.bool_)
    sizes = np.bincount(parts.ravel())[1:]
    return np.isin(parts, np.flatnonzero(sizes >= 0.1 * sizes.max()) + 1)


def _voxels(length_mm: float, grid: Grid) -> NDArray[np.float64]:
    return length_mm / np.array(grid.spacing)


def _ellipsoid(radii: NDArray[np.int_]) -> NDArray[np.bool_]:
    axes = np.meshgrid(*[np.arange(-r, r + 1) / (r + 0.5) for r in radii], indexing="ij")
    return np.asarray(sum(axis**2 for axis in axes) <= 1.0)
