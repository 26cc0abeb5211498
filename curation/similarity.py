"""How well two images of one place agree: by their grey values and, independently of that, by their edges."""

import numpy as np
from numpy.typing import NDArray

from datasets.volume import Affine

HISTOGRAM_BINS = 64


def mutual_information(
    first: NDArray[np.floating], second: NDArray[np.floating], *, bins: int = HISTOGRAM_BINS
) -> float:
    """Mutual information of two images' grey values where both are known (finite).

    Source: Wells et al., Multi-modal volume registration by maximization of mutual information, 1996.

    Args:
        first: Image of any shape; NaN where unknown.
        second: Image of the same shape; NaN where unknown.
        bins: Grey levels in the joint histogram, equally wide.

    Returns:
        Nats; 0 where the images share no known voxel or one of them is constant.
    """
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return 0.0
    counts, _, _ = np.histogram2d(first[known], second[known], bins=bins)
    joint = counts / counts.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float(max(0.0, (joint[seen] * np.log(joint[seen] / apart[seen])).sum()))


def edge_agreement(
    first: NDArray[np.floating], second: NDArray[np.floating], *, spacing: tuple[float, float, float]
) -> float:
    """Mean squared cosine between the two images' gradients, each damped by its typical noise: 0 apart to 1 alike.

    Blind to contrast, as mutual information is, but made from edges and not from grey values; so it can doubt what
    an optimiser of mutual information found.

    Source: Haber and Modersitzki, Intensity gradient based registration and fusion of multi-modal images, 2006.

    Args:
        first: 3D image; NaN where unknown.
        second: 3D image of the same shape; NaN where unknown.
        spacing: Millimetres between voxels along the three axes.

    Returns:
        The mean over voxels whose gradients are known; 0 where there are none.
    """
    one, other = (np.stack(np.gradient(np.asarray(image, dtype=np.float32), *spacing)) for image in (first, second))
    known = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
    if not known.any():
        return 0.0
    one, other = one[:, known], other[:, known]
    squared = [(gradient**2).sum(axis=0, dtype=np.float64) for gradient in (one, other)]
    damped = [square + np.median(square) + np.finfo(np.float32).tiny for square in squared]
    along = (one.astype(np.float64) * other).sum(axis=0)
    return float((along**2 / (damped[0] * damped[1])).mean())


def rotation_degrees(transform: Affine) -> float:
    """Angle of the rotation nearest to an affine's linear part, in degrees."""
    turn = nearest_rotation(transform[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))))


def nearest_rotation(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthogonal (3, 3) matrix nearest to a linear map (its polar factor)."""
    left, _, right = np.linalg.svd(linear)
    nearest: NDArray[np.float64] = left @ right
    return nearest


def scales(transform: Affine) -> tuple[float, float, float]:
    """How much an affine stretches along its three main directions, largest first; 1 for a rigid motion."""
    first, second, third = np.linalg.svd(transform[:3, :3], compute_uv=False)
    return float(first), float(second), float(third)
