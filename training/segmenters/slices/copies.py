"""Turned copies of pictures, and their answers turned back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from datasets.pictures.picture_plane import AnatomicalPlane
from training.segmenters.slices.slice_plan import Copies

Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True)
class Copy:
    """One of the eight ways to lay a square.

    Args:
        quarters: Quarter turns, counter-clockwise.
        mirrored: Whether it is then mirrored, left to right.
    """

    quarters: int = 0
    mirrored: bool = False

    def turned(self, pictures: NDArray[Element]) -> NDArray[Element]:
        """The copies of pictures (…, S, S)."""
        turned = np.rot90(pictures, self.quarters, axes=(-2, -1))
        return np.flip(turned, -1) if self.mirrored else turned

    def back(self, answers: NDArray[Element]) -> NDArray[Element]:
        """Answers (…, S, S) to such copies, laid as the pictures were."""
        straight = np.flip(answers, -1) if self.mirrored else answers
        return np.rot90(straight, -self.quarters, axes=(-2, -1))


def copies_of(copies: Copies, anatomical: AnatomicalPlane) -> Sequence[Copy]:
    """The copies of the pictures of a plane, the picture as it is first."""
    if copies is Copies.NONE:
        return (Copy(),)
    if copies is Copies.ALL:
        return tuple(Copy(quarters, mirrored) for mirrored in (False, True) for quarters in range(4))
    # Pictures that show a patient from head to foot are not turned upside down (decision 17).
    upside_down = (Copy(2, True), Copy(2)) if anatomical is AnatomicalPlane.AXIAL else ()
    return (Copy(), Copy(0, True), *upside_down)
