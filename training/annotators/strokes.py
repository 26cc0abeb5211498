"""Brush strokes of a simulated annotator: the stroke that corrects most of a slice's mask, and the pixels it covers.

A stroke is one press, drag and release of a round brush or eraser: one of a few sizes, a path of bounded length. The
annotator knows the tumour's edge and keeps the brush inside it (the eraser outside), but for a pixel; tool, size and
path are those that correct the most pixels, and a tremor is added. The rules are the same whether the mask before the
stroke is a model's or empty.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from training.segmenters.between_slices import depth

_SPILL = 1.0
"""Pixels by which the brush's rim may pass the tumour's edge: a pixel's width is not decided."""

_TREMOR_STEPS = 6.0
"""Pixels of the path over which the tremor's deviation stays alike."""


class Tool(StrEnum):
    """The drawing tool."""

    BRUSH = "brush"
    ERASER = "eraser"


@dataclass(frozen=True)
class BrushSettings:
    """Settings of an annotator's strokes.

    Args:
        radii: Radii of the brushes to choose from, in pixels of the picture.
        longest_mm: Longest path of one stroke, on the patient's scale.
        tremor_mm: Standard deviation of the stroke from the planned path, along each axis.
        least_gain: Pixels that a stroke has to correct, or it is not made.

    Raises:
        RejectedInput: A number is out of range.
    """

    radii: tuple[float, ...] = (2.0, 4.0, 8.0, 16.0)
    longest_mm: float = 100.0
    tremor_mm: float = 0.5
    least_gain: int = 3

    def __post_init__(self) -> None:
        fit = len(self.radii) > 0 and all(1.0 <= radius <= 100.0 for radius in self.radii)
        if not (fit and 0.0 < self.longest_mm <= 1e4 and 0.0 <= self.tremor_mm <= 10.0 and self.least_gain >= 1):
            raise RejectedInput(
                "hand-settings",
                "Brushes must have 1 to 100 pixels, strokes up to 10000 mm, a tremor 0 to 10 mm and a gain at least "
                "1 pixel.",
                remedy="Correct them.",
            )


@dataclass(frozen=True, eq=False)
class Stroke:
    """One press, drag and release.

    Args:
        tool: Brush or eraser.
        radius: Of the brush, in pixels.
        path: Rows and columns of its middle, float64 (N, 2), with the tremor.
        length_mm: Length of the planned path.
    """

    tool: Tool
    radius: float
    path: NDArray[np.float64]
    length_mm: float

    def drawn_on(self, mask: Inside) -> Inside:
        """The mask after the stroke, bool (height, width); a copy."""
        from training.annotators.stroke_path import covered

        inside = covered(self.path, self.radius, *mask.shape)
        return mask | inside if self.tool is Tool.BRUSH else mask & ~inside


def best_stroke(
    truth: Inside, drawn: Inside, brush: BrushSettings, random: np.random.Generator, *, pixel_mm: float
) -> Stroke | None:
    """The stroke that corrects most, drawn with a tremor.

    Args:
        truth: bool (height, width), the tumour.
        drawn: The mask so far, of the same shape.
        brush: Brushes, longest stroke and tremor.
        random: Generator of the tremor.
        pixel_mm: Side of a pixel.

    Returns:
        None if no stroke corrects `brush.least_gain` pixels.
    """
    longest = brush.longest_mm / pixel_mm
    planned = [
        (gain, tool, radius, path)
        for tool in Tool
        for radius in brush.radii
        for gain, path in _paths(truth, drawn, tool, radius=radius, longest=longest)
    ]
    gain, tool, radius, path = max(planned, key=lambda plan: plan[0], default=(0, Tool.BRUSH, 0.0, None))
    if path is None or gain < brush.least_gain:
        return None
    steps = np.hypot(*np.diff(path, axis=0).T).sum() if len(path) > 1 else 0.0
    return Stroke(tool, radius, _with_tremor(path, brush.tremor_mm / pixel_mm, random), float(steps) * pixel_mm)


def outline(truth: Inside, radius: float) -> tuple[Inside, float]:
    """The rim that a brush covers when it is led once along the inside of the tumour's edge.

    Args:
        truth: bool (height, width), not empty.
        radius: Of the brush, in pixels.

    Returns:
        bool (height, width), and the length of the path in pixels.
    """
    import cv2

    inner = depth(truth)
    rim = truth & (inner <= 2 * radius)
    middle = (inner > radius if (inner > radius).any() else truth).astype(np.uint8)
    edges, _ = cv2.findContours(middle, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return rim, float(sum(cv2.arcLength(edge, closed=True) for edge in edges))


def _paths(
    truth: Inside, drawn: Inside, tool: Tool, *, radius: float, longest: float
) -> list[tuple[int, NDArray[np.int64]]]:
    """Paths of one tool and size with the pixels they correct, from where most is wrong and from the far end there."""
    from training.annotators.stroke_path import far_end, gains, stroke_path

    # An eraser is a brush that paints the background.
    wanted, done = (truth, drawn) if tool is Tool.BRUSH else (~truth, ~drawn)
    if not (wanted & ~done).any():
        return []
    worth = np.where(wanted & ~done, 1, np.where(~wanted & ~done, -1, 0)).astype(np.int8)
    allowed = depth(wanted) > radius - _SPILL
    corrected = gains(worth, allowed, radius)
    first = np.array(np.unravel_index(int(np.argmax(corrected)), corrected.shape))
    most = corrected[tuple(first)]
    if most < 1:
        return []
    last = far_end(corrected > 0.25 * most, first)
    starts = [first] if (first == last).all() else [first, last]
    found = [stroke_path(worth, allowed, start, radius, longest) for start in starts]
    return [(int(gain), path) for path, gain, _ in found]


def _with_tremor(path: NDArray[np.int64], sd: float, random: np.random.Generator) -> NDArray[np.float64]:
    """A path with smooth random deviations, of standard deviation `sd` pixels along each axis."""
    from scipy.ndimage import gaussian_filter1d

    margin = int(4 * _TREMOR_STEPS)
    noise = random.normal(size=(len(path) + 2 * margin, 2))
    smooth = gaussian_filter1d(noise, _TREMOR_STEPS, axis=0, mode="wrap")[margin : margin + len(path)]
    scale = sd * np.sqrt(2.0 * np.sqrt(np.pi) * _TREMOR_STEPS)  # restores the deviation that smoothing took
    return path + smooth * scale
