"""Intensity rules: how scanner numbers become grey values."""

import numpy as np
from numpy.typing import NDArray


def percentile_window(
    data: NDArray[np.generic], *, low: float = 0.5, high: float = 99.5, foreground_only: bool = False
) -> tuple[float, float]:
    """Lower and upper intensity at two percentiles.

    Args:
        data: Image of any shape.
        low: Lower percentile in percent.
        high: Upper percentile in percent.
        foreground_only: Look at voxels above zero only (MedSAM) instead of all voxels (MSTT-199).

    Returns:
        (lower, upper) with lower < upper, also for a constant image.
    """
    values = np.asarray(data, dtype=np.float32)
    values = values[np.isfinite(values)]
    if foreground_only and (values > 0).any():
        values = values[values > 0]
    if values.size == 0:
        return 0.0, 1.0
    lower, upper = (float(value) for value in np.percentile(values, [low, high]))
    return (lower, upper) if upper > lower else (lower, lower + max(1.0, abs(lower) * 1e-6))


def to_uint8(data: NDArray[np.generic], *, window: tuple[float, float]) -> NDArray[np.uint8]:
    """Clips to `window` and scales it to 0..255; not-a-number becomes 0."""
    lower, upper = window
    clipped = np.clip(np.nan_to_num(np.asarray(data, dtype=np.float32), nan=lower), lower, upper)
    return np.rint((clipped - lower) / (upper - lower) * 255.0).astype(np.uint8)
