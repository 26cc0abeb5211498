"""A phantom cohort of PET-CT: the same limbs as of `datasets.phantom.cohort`, in HU and in SUV, tumours drawn on CT."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.files import write_bytes
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.anatomy import Anatomy, draw_anatomy
from datasets.phantom.cohort import PHANTOM_MASK_NAME, SITES, TISSUE_TYPES, write_phantom_cohort
from datasets.phantom.ct_pet import CtProtocol, PetDialect, PetProtocol, write_ct, write_pet
from datasets.study.case import TissueType
from datasets.study.protocol import Modality, Protocol

_GAP_MM = 3.27
_SLICES = 28
_CT_FIELD_MM, _PET_FIELD_MM = 160.0, 200.0
_PET_SIZE = 50
_CT_NOISE = 0.012
"""Of the attenuation relative to water's: 12 HU."""

_PET_NOISE = 0.05
_DIALECTS = (PetDialect.SIEMENS, PetDialect.GE, PetDialect.PHILIPS)


@dataclass(frozen=True, eq=False)
class CtPetCase:
    """The ground truth of one phantom patient.

    Args:
        patient_id: As in the DICOM headers and in `cases.csv`.
        tissue_type: Of the tumour.
        anatomical_site: In plain words.
        tumour: On the CT's grid; a voxel is inside when its centre is.
    """

    patient_id: str
    tissue_type: TissueType
    anatomical_site: str
    tumour: Mask


def write_cohort_of(protocol: Protocol, folder: Path, *, patients: int = 5, seed: int = 0) -> None:
    """Writes phantom patients whose images are those of a protocol: PET-CT where CT or PET is drawn on, else MR."""
    modalities = {image.name: image.modality for image in protocol.images}
    if modalities[protocol.drawn] is Modality.MR:
        write_phantom_cohort(folder, patients=patients, seed=seed)
    else:
        write_ct_pet_cohort(folder, patients=patients, seed=seed)


def write_ct_pet_cohort(
    folder: Path, *, patients: int = 5, seed: int = 0, prefix: str = "PHANTOM", size: int = 128
) -> tuple[CtPetCase, ...]:
    """Writes phantom patients, one of each tissue type in turn, and `cases.csv` beside them.

    Each has an axial CT (128 x 128 x 28 voxels of 1.25 x 1.25 x 3.27 mm), a PET (50 x 50 x 28 voxels of 4 x 4 x 3.27
    mm) in the header dialects of three manufacturers in turn, a PET without attenuation correction, and an RTSTRUCT on
    CT with `GTV_Mass`; all in one frame of reference.

    Args:
        folder: Created if absent; files of the same name are replaced.
        patients: How many.
        seed: The same seed gives the same bytes, and the same patient whatever the number of patients.
        prefix: Of the patients' identifiers.
        size: The CT's columns and rows over the same field of view.

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


def _write_patient(folder: Path, *, index: int, seed: int, prefix: str, size: int) -> CtPetCase:
    rng = np.random.default_rng([seed, index])
    tissue_type = TISSUE_TYPES[index % len(TISSUE_TYPES)]
    anatomy = draw_anatomy(tissue_type, rng)
    patient_id = f"{prefix}-{index + 1:04d}"
    home = folder / f"patient_{index + 1:04d}" / "study"
    identity, name = [str(seed), "PET-CT", patient_id], f"Phantom^{tissue_type.title()}"
    ct_grid, pet_grid = _grid(_CT_FIELD_MM, size), _grid(_PET_FIELD_MM, _PET_SIZE)
    hounsfield = (_measured(anatomy, ct_grid, "ct", rng, noise=_CT_NOISE) - 1.0) * 1000.0
    series = write_ct(home / "2_ct", CtProtocol(contrast="Iohexol"), hounsfield, ct_grid, identity=identity, name=name)
    suv = np.maximum(_measured(anatomy, pet_grid, "pet", rng, noise=_PET_NOISE), 0.0)
    dialect = _DIALECTS[index % len(_DIALECTS)]
    write_pet(home / "4_pet", PetProtocol(dialect=dialect), suv, pet_grid, identity=identity, name=name)
    uncorrected = PetProtocol("PET NAC", 5, dialect, is_corrected=False)
    write_pet(home / "5_pet_nac", uncorrected, 0.4 * suv, pet_grid, identity=identity, name=name)
    tumour = Mask((anatomy.tumour_distance(_points(ct_grid)) < 0).astype(np.uint8), ct_grid)
    write_rtstruct(home / "100_regions" / "regions.dcm", {PHANTOM_MASK_NAME: tumour}, series)
    return CtPetCase(patient_id, tissue_type, SITES[index % len(SITES)], tumour)


def _grid(field_mm: float, size: int) -> Grid:
    """Axial, centred on the origin; a gantry that is not tilted."""
    pixel = field_mm / size
    affine = np.diag([-pixel, -pixel, _GAP_MM, 1.0])  # columns run to the left, rows to the back, slices to the head
    shape = (size, size, _SLICES)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def _points(grid: Grid) -> NDArray[np.float64]:
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def _measured(
    anatomy: Anatomy, grid: Grid, sequence: str, rng: np.random.Generator, *, noise: float
) -> NDArray[np.float64]:
    signal = anatomy.signal(_points(grid), sequence=sequence)
    return np.asarray(signal + rng.normal(scale=noise, size=signal.shape), dtype=np.float64)
