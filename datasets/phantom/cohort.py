"""A phantom cohort: limbs with a tumour, as DICOM, where the true masks and the true misalignment are known.

The anatomy is a formula over points in millimetres, so that every series samples the same patient on its own grid,
without interpolation. Nothing here resembles a person; the names are `Phantom^...`.
"""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.files import write_bytes
from datasets.image.mask import Mask
from datasets.image.volume import Affine, Grid, Volume
from datasets.phantom.anatomy import Anatomy, TissueType, draw_anatomy, rigid_matrix
from datasets.phantom.scanner import Protocol, write_protocol
from datasets.study.cohort import LoadedCase

PHANTOM_MASK_NAME = "GTV_Mass"

TISSUE_TYPES = tuple(TissueType)
SITES = ("thigh", "lower leg", "upper arm")
FIELD_OF_VIEW_MM = 160.0
TILT_DEGREES = 2.0

_T1 = Protocol(
    name="t1", description="AX T1 SE", size=160, slices=20, gap_mm=4.5, sequence="SE", scan_options="PFP",
    repetition_time_ms=550.0, echo_time_ms=12.0, number=3,
)  # fmt: skip
_T2 = Protocol(
    name="t2", description="AX T2 TSE FS", size=128, slices=18, gap_mm=5.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4200.0, echo_time_ms=74.0, number=4,
)  # fmt: skip
_SCOUT = Protocol(
    name="t1", description="LOCALIZER", size=64, slices=3, gap_mm=25.0, sequence="GR", scan_options="",
    repetition_time_ms=8.6, echo_time_ms=4.0, number=1,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """The ground truth of one phantom patient.

    Args:
        patient_id: As in the DICOM headers and in `cases.csv`.
        tissue_type: Of the tumour.
        anatomical_site: In plain words.
        t2_to_t1: (4, 4) float64, rigid. Takes the place of a piece of anatomy in the T2 series' RAS+ millimetres to the
            place of the same anatomy in the T1 series' RAS+ millimetres: the patient moved by it between T2 and T1.
            Sampling T1 at `t2_to_t1 @ p` for every point p of T2's grid brings T1 onto T2.
        tumour: On the T2 series' grid; a voxel is inside when its centre is.
    """

    patient_id: str
    tissue_type: TissueType
    anatomical_site: str
    t2_to_t1: Affine
    tumour: Mask

    @property
    def t1_to_t2(self) -> Affine:
        """The inverse: the place of anatomy in T1 to its place in T2."""
        return np.linalg.inv(self.t2_to_t1).astype(np.float64)


def write_phantom_cohort(
    folder: Path, *, patients: int = 5, seed: int = 0, prefix: str = "PHANTOM", size: int = 160
) -> tuple[PhantomCase, ...]:
    """Writes phantom patients, one of each tissue type in turn, and `cases.csv` beside them.

    Each has an axial T1 (160 x 160 x 20 voxels of 1 x 1 x 4.5 mm), an axial fat-saturated T2 (128 x 128 x 18 voxels of
    1.25 x 1.25 x 5 mm), an RTSTRUCT on T2 with `GTV_Mass`, and a scout of three slices; about 1.7 MB a patient. Rician
    noise, a mild bias field, and a motion of up to 3 degrees and 4 mm an axis between T1 and T2.

    Args:
        folder: Created if absent; files of the same name are replaced.
        patients: How many.
        seed: The same seed gives the same bytes, and the same patient whatever the number of patients.
        prefix: Of the patients' identifiers.
        size: T1's columns and rows over the same field of view; T2 has four fifths of them. Fewer are quicker.

    Returns:
        The ground truth of each, in the order of their ids.
    """
    cases = tuple(_write_patient(folder, index=index, seed=seed, prefix=prefix, size=size) for index in range(patients))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["patient_id", "tissue_type", "anatomical_site"])
    writer.writerows([case.patient_id, case.tissue_type.value, case.anatomical_site] for case in cases)
    write_bytes(folder / "cases.csv", table.getvalue().encode())
    return cases


def drawn_phantom(index: int, *, seed: int = 0, size: int = 192) -> LoadedCase:
    """A phantom's T2 with its true mask on the same grid, straight from the formulas: what needs no DICOM.

    Args:
        index: Which phantom, from 0.
        seed: The same seed gives the same phantoms, whatever their number.
        size: Columns and rows; fewer are quicker.

    Returns:
        Image ``t2-fs``, of `size` x `size` x 18 voxels, and the mask; a voxel is inside when its centre is.
    """
    rng = np.random.default_rng([seed, index])
    anatomy, protocol = draw_anatomy(TISSUE_TYPES[index % len(TISSUE_TYPES)], rng), replace(_T2, size=size)
    grid = grid_of(protocol)
    volume = Volume(_pixels(protocol, anatomy, rng), grid)
    tumour = Mask((anatomy.tumour_distance(points_of(grid)) < 0).astype(np.uint8), grid)
    return LoadedCase(f"PHANTOM-{index + 1:04d}", {"t2-fs": volume}, tumour)


def _write_patient(folder: Path, *, index: int, seed: int, prefix: str, size: int) -> PhantomCase:
    protocol_t1, protocol_t2 = replace(_T1, size=size), replace(_T2, size=size * 4 // 5)
    rng = np.random.default_rng([seed, index])
    tissue_type = TISSUE_TYPES[index % len(TISSUE_TYPES)]
    anatomy = draw_anatomy(tissue_type, rng)
    motion = rigid_matrix(degrees=drawn_motion(rng, 3.0), millimetres=drawn_motion(rng, 4.0))
    patient_id = f"{prefix}-{index + 1:04d}"
    home = folder / f"patient_{index + 1:04d}" / "study"
    identity = [str(seed), patient_id]
    write_protocol(home / "1_scout", _SCOUT, _pixels(_SCOUT, anatomy, rng), grid_of(_SCOUT),
                   identity=identity, name=f"Phantom^{tissue_type.title()}", suffix="")  # fmt: skip
    write_protocol(home / "3_t1", protocol_t1, _pixels(protocol_t1, anatomy, rng, motion=motion), grid_of(protocol_t1),
                   identity=identity, name=f"Phantom^{tissue_type.title()}")  # fmt: skip
    grid = grid_of(protocol_t2)
    series = write_protocol(home / "4_t2", protocol_t2, _pixels(protocol_t2, anatomy, rng), grid,
                            identity=identity, name=f"Phantom^{tissue_type.title()}")  # fmt: skip
    tumour = Mask((anatomy.tumour_distance(points_of(grid)) < 0).astype(np.uint8), grid)
    write_rtstruct(home / "100_regions" / "regions.dcm", {PHANTOM_MASK_NAME: tumour}, series)
    return PhantomCase(patient_id, tissue_type, SITES[index % len(SITES)], motion, tumour)


def grid_of(protocol: Protocol) -> Grid:
    """The grid of a protocol: centred on the origin, tilted by 2 degrees about the left-right axis, as limbs are."""
    pixel = FIELD_OF_VIEW_MM / protocol.size
    axes = np.diag([-pixel, -pixel, protocol.gap_mm])  # columns run to the left, rows to the back, slices to the head
    affine = rigid_matrix(degrees=(TILT_DEGREES, 0.0, 0.0), millimetres=(0.0, 0.0, 0.0))
    affine[:3, :3] = affine[:3, :3] @ axes
    shape = (protocol.size, protocol.size, protocol.slices)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def points_of(grid: Grid) -> NDArray[np.float64]:
    """Millimetres (i, j, k, 3) of every voxel centre."""
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def drawn_motion(rng: np.random.Generator, largest: float) -> tuple[float, float, float]:
    """Three signed amounts, each between a third of the largest and the largest, so that nobody lies still."""
    x, y, z = rng.uniform(largest / 3, largest, size=3) * rng.choice([-1.0, 1.0], size=3)
    return float(x), float(y), float(z)


def _pixels(
    protocol: Protocol, anatomy: Anatomy, rng: np.random.Generator, *, motion: Affine | None = None
) -> NDArray[np.uint16]:
    """12-bit pixels (i, j, k): the anatomy where the motion has brought it, under a coil's bias, with Rician noise."""
    points = points_of(grid_of(protocol))
    still = points
    if motion is not None:
        inverse = np.linalg.inv(motion)
        still = points @ inverse[:3, :3].T + inverse[:3, 3]
    return measured(anatomy.signal(still, sequence=protocol.name), points, rng)


def measured(signal: NDArray[np.float64], points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint16]:
    """12-bit pixels of a relative signal (i, j, k) at points in millimetres: under a coil's bias, with Rician noise."""
    slope = rng.uniform(-1.0, 1.0, size=3)
    signal = signal * np.exp(0.15 * (points @ slope) / FIELD_OF_VIEW_MM)
    noise = rng.normal(scale=0.02, size=(2, *signal.shape))
    magnitude = np.hypot(signal + noise[0], noise[1])
    return np.clip(np.rint(magnitude * 1000.0), 0, 4095).astype(np.uint16)
