"""Matches grids whose voxels are the same points, counted in another order, from another corner or in a smaller box.

Programs write one image with rows counted from either side, and crop a mask to the box around the region. Such grids
are brought together exactly, voxel by voxel; nothing is interpolated. A grid of other points is refused, with the
distance and direction in the message.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError
from datasets.finding import Finding, Level
from datasets.image.mask import Mask
from datasets.image.volume import GRID_TOLERANCE_MM, Grid, Volume

DRIFT_TOLERANCE_VOXELS = 0.01
"""How far two points may lie apart and be one, as a share of a voxel: above what headers in float32 lose, far below
what an annotator sees."""

ROUNDING_TOLERANCE_VOXELS = 0.45
"""The same where the numbers of one header are the other's with fewer decimals: a spacing of 0.469 instead of 0.46875
moves the far end of 512 voxels by a quarter of one. Below half a voxel each point still has one nearest."""

_DECIMALS = range(1, 4)
"""Numbers of decimals to try when a number may be rounded; more make no difference that matters."""

_SAME_NUMBER = 6e-5
"""Millimetres by which two spacings or places differ that are one, written with four decimals."""

_FLOAT32 = 1.2e-7
_ROUNDED_SPACING = 2e-6
"""Share by which a spacing changes where the directions beside it are rounded too."""

_ROUNDED_DIRECTION = 1e-4
"""How far two unit vectors lie apart that are one, written with four decimals."""

_MOST_DOUBT = 0.05


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where the voxels of another grid lie among those of a grid.

    Args:
        axes: Axis of the other that runs along each axis of the grid.
        steps: 1 where both count the same way along it, else -1.
        low: Index in the grid of the other's lowest corner; may lie outside.
        shape: The other's sizes along the grid's axes.
        drift_mm: How far the points lie apart at the most.
    """

    axes: tuple[int, int, int]
    steps: tuple[int, int, int]
    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    drift_mm: float

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The other's voxels among the grid's."""
        i, j, k = (slice(low, low + size) for low, size in zip(self.low, self.shape, strict=True))
        return i, j, k

    def is_inside(self, grid: Grid) -> bool:
        """Whether the grid has all of the other's voxels."""
        return all(
            low >= 0 and low + size <= most for low, size, most in zip(self.low, self.shape, grid.shape, strict=True)
        )

    def ordered(self, data: NDArray[np.generic]) -> NDArray[np.generic]:
        """The other's array (its own shape) in the grid's order."""
        turned = data.transpose(self.axes)
        return turned[tuple(slice(None, None, step) for step in self.steps)]


def lattice_of(grid: Grid, other: Grid) -> Lattice | None:
    """How the other grid's voxels lie among the grid's; None where they are other points."""
    way = np.linalg.inv(grid.affine) @ other.affine
    steps = np.rint(way[:3, :3])
    if not ((np.abs(steps).sum(axis=0) == 1).all() and (np.abs(steps).sum(axis=1) == 1).all()):
        return None
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in other.shape])).reshape(3, -1).T
    beside = corners @ (way[:3, :3] - steps).T + way[:3, 3]
    first = np.rint(beside.mean(axis=0))
    aside = beside - first
    drift_mm = float(np.linalg.norm(aside @ grid.affine[:3, :3].T, axis=1).max())
    drift = float(np.abs(aside).max())
    is_near = drift_mm <= GRID_TOLERANCE_MM or drift <= DRIFT_TOLERANCE_VOXELS
    if not is_near and not (drift <= ROUNDING_TOLERANCE_VOXELS and _is_rounded(grid, other, steps, first)):
        return None
    ends = np.array([first, first + steps @ (np.array(other.shape) - 1)])
    low, high = ends.min(axis=0).astype(int), ends.max(axis=0).astype(int)
    return Lattice(
        axes=_triple(np.abs(steps).argmax(axis=1)),
        steps=_triple(steps.sum(axis=1).astype(int)),
        low=_triple(low),
        shape=_triple(high - low + 1),
        drift_mm=drift_mm,
    )


def is_box_of(grid: Grid, other: Grid) -> bool:
    """Whether the other grid's voxels are all, or a box, of the grid's."""
    lattice = lattice_of(grid, other)
    return lattice is not None and lattice.is_inside(grid)


def mask_on(mask: Mask, grid: Grid, *, what: str) -> tuple[Mask, tuple[Finding, ...]]:
    """A mask on a grid that has all its points: reordered, with background where its box does not reach.

    Args:
        mask: On its own grid.
        grid: The image's.
        what: How messages call it.

    Returns:
        The mask on `grid`; and findings: ``grid-drift``, ``grid-box`` (outside its box is background).

    Raises:
        GeometryError: It lies on other points, or reaches beyond the grid (``grid-mismatch``).
    """
    if mask.grid.matches(grid):
        return Mask(mask.data, grid, mask.labels), ()
    lattice = _require_box(grid, mask.grid, what)
    data = np.zeros(grid.shape, dtype=np.uint8)
    data[lattice.box] = lattice.ordered(mask.data)
    return Mask(data, grid, mask.labels), (*drift_findings(lattice.drift_mm, what), *_box(lattice, grid, what))


def grid_findings(grid: Grid, other: Grid, *, what: str) -> tuple[Finding, ...]:
    """Findings about a grid that has the points of another, from their headers alone: drift, and a box.

    Raises:
        GeometryError: It lies on other points, or reaches beyond the grid (``grid-mismatch``).
    """
    if other.matches(grid):
        return ()
    lattice = _require_box(grid, other, what)
    return (*drift_findings(lattice.drift_mm, what), *_box(lattice, grid, what))


def volume_on(volume: Volume, grid: Grid, *, what: str) -> tuple[Volume, tuple[Finding, ...]]:
    """An image on a grid all of whose points it has, reordered and cut to them; raises as `mask_on` does."""
    if volume.grid.matches(grid):
        return Volume(volume.data, grid), ()
    if not is_box_of(volume.grid, grid):
        raise mismatch(grid, volume.grid, what=what)
    lattice = _require_box(volume.grid, grid, what)
    order = np.argsort(lattice.axes)
    cut = volume.data[lattice.box][tuple(slice(None, None, step) for step in lattice.steps)].transpose(order)
    return Volume(np.ascontiguousarray(cut), grid), tuple(drift_findings(lattice.drift_mm, what))


def mismatch(grid: Grid, other: Grid, *, what: str) -> GeometryError:
    """The refusal of a grid of other points than expected."""
    try:
        grid.require_match(other, what=what)
    except GeometryError as error:
        return error
    raise AssertionError("the grids match")  # callers ask only after they did not


def _triple(values: NDArray[np.integer]) -> tuple[int, int, int]:
    i, j, k = (int(value) for value in values)
    return i, j, k


def _require_box(grid: Grid, other: Grid, what: str) -> Lattice:
    lattice = lattice_of(grid, other)
    if lattice is None or not lattice.is_inside(grid):
        raise mismatch(grid, other, what=what)
    return lattice


def _is_rounded(grid: Grid, other: Grid, steps: NDArray[np.float64], first: NDArray[np.float64]) -> bool:
    """Whether spacings, directions and place of one header are the other's with fewer decimals."""
    axes = np.abs(steps).argmax(axis=1)
    spacings = np.array(grid.spacing), np.array(other.spacing)[axes]
    ours = grid.affine[:3, :3] / spacings[0]
    theirs = other.affine[:3, :3][:, axes] * steps.sum(axis=1) / spacings[1]
    at_theirs = grid.to_world(first), other.affine[:3, 3]
    at_ours = grid.affine[:3, 3], other.to_world(np.linalg.solve(steps, -first))
    is_placed = _fewer_decimals(*at_theirs) or _fewer_decimals(*at_ours)
    is_alike = bool(np.abs(ours - theirs).max() <= _ROUNDED_DIRECTION)
    return is_placed and is_alike and _fewer_decimals(*spacings, doubt=_ROUNDED_SPACING)


def _fewer_decimals(one: NDArray[np.float64], other: NDArray[np.float64], doubt: float = _FLOAT32) -> bool:
    """Whether some numbers are the others, rounded to so many decimals."""
    apart = np.abs(one - other).max()
    unknown = doubt * max(np.abs(one).max(), 1.0)
    return bool(apart <= _SAME_NUMBER) or any(
        apart <= 0.5 * 10.0**-decimals + unknown
        and (_ends_at(one, decimals, doubt) or _ends_at(other, decimals, doubt))
        for decimals in _DECIMALS
    )


def _ends_at(values: NDArray[np.float64], decimals: int, doubt: float) -> bool:
    """Whether numbers that are known but for a share have no more decimals than that."""
    scaled = values * 10.0**decimals
    unknown = doubt * np.abs(scaled) + 1e-6
    return bool((unknown <= _MOST_DOUBT).all() and (np.abs(scaled - np.rint(scaled)) <= unknown).all())


def drift_findings(drift_mm: float, what: str) -> list[Finding]:
    """``grid-drift`` where points that were taken for one lie apart."""
    if drift_mm <= GRID_TOLERANCE_MM:
        return []
    message = (
        f"{what}: points lie up to {drift_mm:.2g} mm apart, as rounding in headers leaves them; they were taken for "
        "the same."
    )
    return [Finding(Level.INFO, "grid-drift", message, "Nothing, if the mask lies right on the image.")]


def _box(lattice: Lattice, grid: Grid, what: str) -> list[Finding]:
    if lattice.shape == grid.shape:
        return []
    sizes = [" x ".join(map(str, shape)) for shape in (grid.shape, lattice.shape)]
    message = f"{what}: expected {sizes[0]} voxels, got a box of {sizes[1]} of them; outside it is background."
    return [Finding(Level.INFO, "grid-box", message, "Nothing, if nothing was drawn outside the box.")]
