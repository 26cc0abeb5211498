"""The phantom's anatomy: a limb with bone, fat, muscle, vessels and a lobulated tumour, as formulas over space."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.image.volume import Affine, Points

ScalarField = NDArray[np.float64]


class TissueType(StrEnum):
    """The tissues of origin of tumours that the phantom can draw: those of MSTT-199."""

    FIBROUS = "fibrous"
    FAT = "fat"
    MYXOID = "myxoid"
    NERVE = "nerve"
    VASCULAR = "vascular"


EDGE_MM = 0.5
"""Width of the soft edge between two tissues: about half a pixel, as partial volume makes it."""

_SIGNALS = {
    "t1": {"fat": 0.90, "muscle": 0.35, "cortex": 0.06, "marrow": 0.80, "vessel": 0.12},
    "t2": {"fat": 0.16, "muscle": 0.26, "cortex": 0.04, "marrow": 0.18, "vessel": 0.75},
}
"""Relative signal of normal tissue in a T1-weighted and in a fat-saturated T2-weighted spin echo."""

_TUMOUR_SIGNALS = {
    TissueType.FIBROUS: {"t1": 0.28, "t2": 0.52},
    TissueType.FAT: {"t1": 0.84, "t2": 0.12},
    TissueType.MYXOID: {"t1": 0.22, "t2": 1.30},
    TissueType.NERVE: {"t1": 0.42, "t2": 0.85},
    TissueType.VASCULAR: {"t1": 0.50, "t2": 1.05},
}
_TUMOUR_TEXTURE = {
    TissueType.FIBROUS: 0.25,
    TissueType.FAT: 0.06,
    TissueType.MYXOID: 0.10,
    TissueType.NERVE: 0.12,
    TissueType.VASCULAR: 0.30,
}
"""How much the tumour's signal varies inside it, as a share of the signal."""


@dataclass(frozen=True, eq=False)
class Waves:
    """A smooth random field: a sum of plane waves.

    Args:
        vectors: (n, 3) radians a millimetre.
        phases: (n,) radians.
    """

    vectors: NDArray[np.float64]
    phases: NDArray[np.float64]

    def __call__(self, points: Points) -> ScalarField:
        """Values of about unit variance at points (..., 3)."""
        total = np.zeros(points.shape[:-1])
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            total += np.sin(points @ vector + phase)
        return total * np.sqrt(2.0 / len(self.phases))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One patient's limb. Distances are negative inside; the limb runs along z and is centred on the origin.

    Args:
        tissue_type: Of the tumour.
        half_axes: Of the limb's elliptic cross-section in millimetres.
        bone: Centre of the bone in the cross-section.
        vessels: (n, 2) centres of the vessels in the cross-section.
        lobes: (n, 4) centre and radius of the tumour's lobes.
        outline: Waves that make surfaces irregular.
        texture: Waves that make tissue irregular.
    """

    tissue_type: TissueType
    half_axes: tuple[float, float]
    bone: tuple[float, float]
    vessels: NDArray[np.float64]
    lobes: NDArray[np.float64]
    outline: Waves
    texture: Waves

    def tumour_distance(self, points: Points) -> ScalarField:
        """About the distance to the tumour's surface in millimetres at points (..., 3), negative inside.

        The lobes are joined by a smooth minimum and roughened by 1 mm.
        """
        total = np.zeros(points.shape[:-1])
        for x, y, z, radius in self.lobes:
            total += np.exp(-(np.linalg.norm(points - (x, y, z), axis=-1) - radius) / 2.0)
        return -2.0 * np.log(np.maximum(total, 1e-300)) + self.outline(points)

    def signal(self, points: Points, *, sequence: str) -> ScalarField:
        """Relative signal at points (..., 3) in sequence ``t1`` or ``t2`` (fat-saturated); 0 in air."""
        rough = self.texture(points)
        return self.painted(points, _SIGNALS[sequence], rough, self._tumour_signal(rough, points, sequence))

    def painted(
        self,
        points: Points,
        tissue: Mapping[str, float],
        rough: ScalarField,
        tumour: ScalarField,
        *,
        air: float = 0.0,
    ) -> ScalarField:
        """An image's values at points (..., 3).

        Args:
            points: RAS+ millimetres.
            tissue: Values of ``fat``, ``muscle``, ``cortex``, ``marrow`` and ``vessel``.
            rough: The texture there.
            tumour: The tumour's values there.
            air: The value outside of the limb.
        """
        body, muscle = self._limb_distances(points)
        x, y = points[..., 0] - self.bone[0], points[..., 1] - self.bone[1]
        shaft = np.hypot(x, y) - 13.0 - 0.04 * points[..., 2]
        signal = _painted(np.full(points.shape[:-1], air), body, tissue["fat"] * (1 + 0.04 * rough))
        signal = _painted(signal, muscle, tissue["muscle"] * (1 + 0.12 * rough))
        signal = _painted(signal, self._septa_distance(points, muscle), tissue["fat"])
        for vessel in self.vessels:
            signal = _painted(signal, np.linalg.norm(points[..., :2] - vessel, axis=-1) - 3.5, tissue["vessel"])
        signal = _painted(signal, shaft, tissue["cortex"])
        signal = _painted(signal, shaft + 4.0, tissue["marrow"] * (1 + 0.04 * rough))
        return _painted(signal, self.tumour_distance(points), tumour)

    def _limb_distances(self, points: Points) -> tuple[ScalarField, ScalarField]:
        """About the distance to the skin and to the fascia under the fat; the limb tapers towards the feet."""
        taper = 1.0 + 0.002 * points[..., 2]
        a, b = self.half_axes
        radius = np.hypot(points[..., 0] / a, points[..., 1] / b) / taper
        skin = (radius - 1.0) * min(a, b)
        return skin, skin + 7.0 + 1.5 * self.outline(points / 3.0)

    def _septa_distance(self, points: Points, muscle: ScalarField) -> ScalarField:
        """Thin sheets of fat between muscles: where a slow wave crosses zero, inside the fascia."""
        sheets = np.abs(self.outline(points / 4.0)) * 12.0 - 0.8
        return np.maximum(sheets, muscle + 2.0)

    def _tumour_signal(self, rough: ScalarField, points: Points, sequence: str) -> ScalarField:
        base = _TUMOUR_SIGNALS[self.tissue_type][sequence]
        signal = base * (1 + _TUMOUR_TEXTURE[self.tissue_type] * rough)
        if self.tissue_type is TissueType.NERVE and sequence == "t2":  # the target sign: a darker centre
            signal = _painted(signal, self.tumour_distance(points) + 6.0, np.full_like(signal, 0.6 * base))
        return np.maximum(signal, 0.02)


def draw_anatomy(tissue_type: TissueType, rng: np.random.Generator) -> Anatomy:
    """Draws a limb whose tumour of three to five lobes lies in the muscle, between bone and skin."""
    half_axes = (float(rng.uniform(64, 70)), float(rng.uniform(58, 64)))
    angle = rng.uniform(0, 2 * np.pi)
    centre = np.array([32 * np.cos(angle), 32 * np.sin(angle), rng.uniform(-8, 8)])
    count = int(rng.integers(3, 6))
    offsets = rng.uniform([-8, -8, -12], [8, 8, 12], size=(count, 3))
    radii = rng.uniform(8, 13, size=(count, 1))
    opposite = angle + np.pi + np.array([-0.5, 0.5])
    return Anatomy(
        tissue_type=tissue_type,
        half_axes=half_axes,
        bone=(float(-10 * np.cos(angle)), float(-10 * np.sin(angle))),
        vessels=np.column_stack([36 * np.cos(opposite), 36 * np.sin(opposite)]),
        lobes=np.hstack([centre + offsets, radii]),
        outline=_draw_waves(rng, count=6, shortest_mm=18, longest_mm=40),
        texture=_draw_waves(rng, count=10, shortest_mm=6, longest_mm=25),
    )


def rigid_matrix(*, degrees: tuple[float, float, float], millimetres: tuple[float, float, float]) -> Affine:
    """(4, 4) float64: turns about x, then y, then z through the origin, then moves."""
    x, y, z = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = millimetres
    return matrix


def _painted(below: ScalarField, distance: ScalarField, above: ScalarField | float) -> ScalarField:
    """`above` where the distance is negative, `below` elsewhere, with a soft edge."""
    share = 1.0 / (1.0 + np.exp(np.clip(distance / (EDGE_MM / 2), -30, 30)))
    return below + share * (above - below)


def _draw_waves(rng: np.random.Generator, *, count: int, shortest_mm: float, longest_mm: float) -> Waves:
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = rng.uniform(shortest_mm, longest_mm, size=(count, 1))
    return Waves(directions * (2 * np.pi / lengths), rng.uniform(0, 2 * np.pi, size=count))
