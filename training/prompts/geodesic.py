"""Geodesic distance maps: the distance of every voxel from a few points, where crossing edges of the image costs.

A step between two of the 26 neighbours p and q costs ``|p - q| / ((1 - lam) + lam / (|I_p - I_q| + 1e-5))``, so with
``lam=1`` it is the length in mm times the change of intensity. The shortest path is found by raster scans, as the
published InteractiveNet weights expect: few of them, so that the map is GeodisTK's and an upper bound of the true one.

Source: GeodisTK 0.1.7, `geodesic3d_raster_scan`; Criminisi, Sharp and Blake, GeoS, ECCV 2008; Wang et al., DeepIGeoS,
TPAMI 2019 (the exponential of the negative distance).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput

UNREACHED = 1.0e10
"""Distance of a voxel that no scan has reached."""


def exponentialized_geodesic(
    image: NDArray[np.float32],
    seeds: ArrayLike,
    *,
    spacing: Sequence[float],
    lam: float = 1.0,
    iterations: int = 4,
) -> NDArray[np.float32]:
    """The map as a network's input channel: 1 at the seeds, falling to 0 far from them or beyond edges.

    Args, Raises: As `geodesic_distance`.

    Returns:
        (i, j, k) float32 in [0, 1].
    """
    return np.exp(-geodesic_distance(image, seeds, spacing=spacing, lam=lam, iterations=iterations))


def geodesic_distance(
    image: NDArray[np.float32],
    seeds: ArrayLike,
    *,
    spacing: Sequence[float],
    lam: float = 1.0,
    iterations: int = 4,
) -> NDArray[np.float32]:
    """The cost of the cheapest path found from any seed to every voxel.

    Args:
        image: (i, j, k), or (channels, i, j, k), of which the Euclidean norm of the change counts; normalise it first.
        seeds: (N, 3) whole voxel indices.
        spacing: Of the three axes, in mm.
        lam: From 0 (plain distance in mm) to 1 (changes of intensity only).
        iterations: Forward and backward scans; more come nearer to the true distance.

    Returns:
        (i, j, k) float32; `UNREACHED` where no scan arrived.

    Raises:
        RejectedInput: There are no seeds, or they lie outside or between voxels; or an argument is not fit.
    """
    from training.prompts.raster_scan import raster_scan

    channels = _checked_image(image)
    shape = channels.shape[1:]
    voxels = _checked_seeds(seeds, shape)
    steps = _checked_spacing(spacing)
    _check_weight(lam, iterations)
    padded = np.zeros((len(channels), *(size + 2 for size in shape)), np.float32)
    padded[:, 1:-1, 1:-1, 1:-1] = channels
    distance = np.full(padded.shape[1:], UNREACHED, np.float32)
    distance[tuple((voxels + 1).T)] = 0.0
    raster_scan(padded, distance, steps, np.float32(lam), int(iterations))
    return np.ascontiguousarray(distance[1:-1, 1:-1, 1:-1])


def _checked_image(image: NDArray[np.float32]) -> NDArray[np.float32]:
    channels = np.asarray(image, np.float32)
    if channels.ndim == 3:
        channels = channels[None]
    if channels.ndim != 4 or 0 in channels.shape:
        raise RejectedInput(
            "geodesic-image-shape",
            f"Expected an image (i, j, k) or (channels, i, j, k) with voxels, got the shape {np.shape(image)}.",
            remedy="Give one volume, or several stacked along a first axis.",
        )
    if not np.isfinite(channels).all():
        raise RejectedInput(
            "geodesic-image-not-finite",
            "The image holds NaN or infinity.",
            remedy="Replace them before the map is made; normalisation over an empty mask makes them.",
        )
    return channels


def _checked_seeds(seeds: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.intp]:
    given = np.asarray(seeds)
    if given.size == 0:
        raise RejectedInput(
            "geodesic-no-seeds", "A map needs at least one seed.", remedy="Give the voxels of the prompts."
        )
    if given.ndim != 2 or given.shape[1] != 3 or not np.issubdtype(given.dtype, np.integer):
        raise RejectedInput(
            "geodesic-seeds-not-voxels",
            f"Expected whole voxel indices (N, 3), got the shape {given.shape} of {given.dtype}.",
            remedy="Round the points to voxels of the image's grid first.",
        )
    if (given < 0).any() or (given >= np.array(shape)).any():
        raise RejectedInput(
            "geodesic-seed-outside",
            f"A seed lies outside the image of {shape} voxels.",
            remedy="Crop so that every prompt lies inside, or clamp the seeds.",
        )
    return given.astype(np.intp)


def _checked_spacing(spacing: Sequence[float]) -> NDArray[np.float32]:
    steps = np.ascontiguousarray(spacing, np.float32)
    if steps.shape != (3,) or not (np.isfinite(steps) & (steps > 0)).all():
        raise RejectedInput(
            "geodesic-spacing",
            f"Expected three positive spacings in mm, got {steps.tolist()}.",
            remedy="Give the spacing of the image's own grid, axis by axis.",
        )
    return steps


def _check_weight(lam: float, iterations: int) -> None:
    if not 0.0 <= lam <= 1.0:
        raise RejectedInput(
            "geodesic-lambda", f"Expected lam from 0 to 1, got {lam}.", remedy="InteractiveNet's maps take 1."
        )
    if not isinstance(iterations, int | np.integer) or iterations < 1:
        raise RejectedInput(
            "geodesic-iterations",
            f"Expected a whole number of iterations from 1, got {iterations}.",
            remedy="The usual is 4.",
        )
