"""Points on a picture whose tumour is known."""

import numpy as np

BOX_MARGIN_PIXELS = 3


def box_around(inside: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two corners of the box around a picture's mask, a few pixels wider, in percent."""
    height, width = inside.shape
    rows, columns = np.nonzero(inside)
    size = np.array([width, height])
    low = np.array([columns.min(), rows.min()]) - BOX_MARGIN_PIXELS
    high = np.array([columns.max(), rows.max()]) + 1 + BOX_MARGIN_PIXELS
    (x0, y0), (x1, y1) = (np.clip([low, high], 0, size) * 100 / size).tolist()
    return (x0, y0), (x1, y1)


def deepest(inside: np.ndarray) -> tuple[float, float]:
    """The pixel (row, column) furthest from the border of a mask."""
    from scipy.ndimage import distance_transform_edt

    row, column = np.unravel_index(distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1].argmax(), inside.shape)
    return float(row), float(column)


def percent_of(pixel: tuple[float, float], shape: tuple[int, int]) -> tuple[float, float]:
    """Percent (x, y) of the middle of a pixel (row, column) of a picture of `shape` (height, width)."""
    return (pixel[1] + 0.5) * 100 / shape[1], (pixel[0] + 0.5) * 100 / shape[0]


def centre(inside: np.ndarray) -> tuple[float, float]:
    """Percent (x, y) of a pixel deep inside a picture's mask."""
    height, width = inside.shape
    return percent_of(deepest(inside), (height, width))
