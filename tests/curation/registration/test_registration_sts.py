"""Registration of a real patient, STS_001: T1 is moved by a known rigid motion and has to be brought back.

The pair itself is aligned, and its tumour was contoured on both series; so how well GTV_Mass, carried from T1, meets
T2's own GTV_Mass says how well T1 was brought back. The figures end the run's output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.image.mask import Mask
from datasets.image.resample import resample_mask
from datasets.image.volume import Grid, Volume
from tests.curation.registration.test_register import registered
from tests.data import STS_DICOM, require

TUMOUR_NAME = "GTV_Mass"
DEGREES = (3.0, -2.0, 9.0)
SHIFT_MM = (7.0, -5.0, 6.0)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One series of the patient with the tumour drawn on it."""

    volume: Volume
    tumour: Mask


def read_sequence(folder: Path) -> Sequence:
    series: tuple[DicomSeries, ...] = group_series(read_header(path) for path in sorted((folder / "image").iterdir()))
    [only] = series
    [regions] = (folder / "mask").iterdir()
    return Sequence(read_series(only), read_structure_set(regions, only).sound()[TUMOUR_NAME])


def known_motion(grid: Grid) -> np.ndarray:
    """Turns about the middle of the grid (left-right, front-back, then foot-head axis) and shifts."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(DEGREES)):
        one, other = [(1, 2), (2, 0), (0, 1)][axis]
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    middle = grid.to_world((np.array(grid.shape) - 1) / 2)
    motion = np.eye(4)
    motion[:3, :3] = turn
    motion[:3, 3] = middle - turn @ middle + SHIFT_MM
    return motion


def moved(sequence: Sequence, motion: np.ndarray) -> Sequence:
    """The same voxels elsewhere in the world; exact, as nothing is interpolated."""
    volume, tumour = sequence.volume, sequence.tumour
    grid = Grid(volume.grid.shape, motion @ volume.grid.affine)
    return Sequence(Volume(volume.data, grid), Mask(tumour.data, grid, tumour.labels))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def mean_surface_distance_mm(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Mean distance from the surface voxels of each mask to the nearest surface voxel of the other."""
    surfaces = [mask & ~binary_erosion(mask) for mask in (one, other)]
    nearest = [distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return float(np.concatenate([nearest[1][surfaces[0]], nearest[0][surfaces[1]]]).mean())


@pytest.mark.slow
def test_a_known_motion_of_a_real_patient_is_undone(tell_figure: Callable[[str], None]) -> None:
    folder = require(STS_DICOM / "STS_001")
    t2 = read_sequence(folder / "MR_T2")
    aligned = read_sequence(folder / "MR_T1")
    motion = known_motion(aligned.volume.grid)
    t1 = moved(aligned, motion)
    found = registered(t1.volume, t2.volume)
    own, spacing = t2.tumour.foreground, t2.tumour.grid.spacing
    figures = {}
    for name, source, transform in (
        ("as scanned", aligned.tumour, None),
        ("before", t1.tumour, None),
        ("after", t1.tumour, found.transform),
    ):
        carried = resample_mask(source, t2.tumour.grid, transform=transform).foreground
        figures[name] = dice(carried, own), mean_surface_distance_mm(carried, own, spacing)
        overlap, distance = figures[name]
        tell_figure(f"STS_001 GTV_Mass, T1 to T2, {name}: Dice {overlap:.4f}, mean surface distance {distance:.3f} mm")
    tell_figure(f"found {found.motion.shift_mm:.2f} mm, {found.motion.rotation_degrees:.2f} degrees; kept {found.kept}")
    assert figures["before"][0] < 0.9
    assert figures["after"][0] >= 0.97
    assert figures["after"][1] < figures["before"][1] / 5
    assert found.motion.rotation_degrees == pytest.approx(9.7, abs=0.5)
    assert found.still.grid.shape == (384, 384, 40)
