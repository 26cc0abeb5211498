"""A phantom cohort for any protocol: each patient has every image that it names, and a structure set of its labels.

For the images of the first protocol it is the cohort of `datasets.phantom.cohort`, byte by byte.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_series.series import DicomSeries
from datasets.files import write_bytes
from datasets.image.mask import Mask
from datasets.image.volume import Affine, Grid
from datasets.phantom.anatomy import Anatomy, TissueType, draw_anatomy, rigid_matrix
from datasets.phantom.cohort import (
    FIELD_OF_VIEW_MM,
    SITES,
    TILT_DEGREES,
    TISSUE_TYPES,
    drawn_motion,
    measured,
    points_of,
    write_phantom_cohort,
)
from datasets.phantom.ct_pet import CtProtocol, PetProtocol, write_ct, write_pet
from datasets.phantom.scanner import Protocol as SeriesProtocol
from datasets.phantom.scanner import write_protocol
from datasets.phantom.tissues import has_contrast, is_suppressed, tissues_of
from datasets.study.protocol import (
    UNKNOWN_TISSUE,
    ImageRole,
    Label,
    Modality,
    PlacedBy,
    Protocol,
    WantedPlane,
    Weighting,
)
from datasets.study.shipped_protocols import FIRST, shipped_protocol

_SLICES, _GAP_MM = 22, 4.5
_OTHER_RADIUS_MM = 7.0
"""All labels but the tumour's are balls beside it."""

_TIMES = {
    Weighting.T1: ("SE", 550.0, 12.0, 0.0),
    Weighting.T2: ("SE", 4200.0, 74.0, 0.0),
    Weighting.PROTON_DENSITY: ("SE", 2800.0, 22.0, 0.0),
    Weighting.T2_STAR: ("GR", 600.0, 20.0, 0.0),
    Weighting.FLAIR: ("IR", 9000.0, 120.0, 2500.0),
}
"""Scanning sequence, TR, TE and TI in milliseconds."""


@dataclass(frozen=True)
class _Patient:
    """Who is scanned: seeds of the UIDs, the name, the limb, and how it moved before the next image was made."""

    identity: list[str]
    name: str
    anatomy: Anatomy
    rng: np.random.Generator


def write_cohort_of(
    protocol: Protocol, folder: Path, *, patients: int = 5, seed: int = 0, prefix: str = "PHANTOM", size: int = 128
) -> None:
    """Writes phantom patients of a protocol as DICOM, one of each of its tissue types in turn, and `cases.csv`.

    Args:
        protocol: What each of them is scanned for, optional images too.
        folder: Created if absent; files of the same name are replaced.
        patients: How many.
        seed: The same seed gives the same bytes.
        prefix: Of the patients' identifiers.
        size: Columns and rows of the drawn image; fewer are quicker.
    """
    if protocol.images == shipped_protocol(FIRST).images:
        write_phantom_cohort(folder, patients=patients, seed=seed, prefix=prefix, size=size * 5 // 4)
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["patient_id", "tissue_type", "anatomical_site"])
    for index in range(patients):
        words = protocol.tissue_types or (UNKNOWN_TISSUE,)
        tissue_type = words[index % len(words)]
        patient_id = f"{prefix}-{index + 1:04d}"
        _write_patient(protocol, folder / f"patient_{index + 1:04d}", tissue_type, [str(seed), patient_id], index, size)
        writer.writerow([patient_id, tissue_type, SITES[index % len(SITES)]])
    write_bytes(folder / "cases.csv", table.getvalue().encode())


def _write_patient(
    protocol: Protocol, folder: Path, tissue_type: str, identity: list[str], index: int, size: int
) -> None:
    rng = np.random.default_rng([int(identity[0]), index])
    kind = TissueType(tissue_type) if tissue_type in TISSUE_TYPES else TISSUE_TYPES[index % len(TISSUE_TYPES)]
    patient = _Patient(identity, f"Phantom^{tissue_type.title()}", draw_anatomy(kind, rng), rng)
    drawn = protocol.drawn_role(tissue_type)
    for number, image in enumerate(protocol.images, start=2):
        is_still = image.name == drawn or image.placed_by is PlacedBy.HEADERS
        motion = (
            np.eye(4) if is_still else rigid_matrix(degrees=drawn_motion(rng, 3.0), millimetres=drawn_motion(rng, 4.0))
        )
        grid = _grid_of(image, size if image.name == drawn else size * 3 // 4)
        series = _write_image(image, folder / "study" / f"{number}_{image.name}", patient, grid, motion, number)
        if image.name == drawn:
            masks = {_imported_name(label): _mask(label, protocol, patient.anatomy, grid) for label in protocol.labels}
            write_rtstruct(folder / "study" / "100_regions" / "regions.dcm", masks, series)


def _grid_of(image: ImageRole, size: int) -> Grid:
    """Centred on the origin; columns and rows are `size`, slices lie as the protocol wants them."""
    columns, rows = {
        WantedPlane.CORONAL: ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        WantedPlane.SAGITTAL: ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
    }.get(image.plane, ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)))
    gap = _GAP_MM if image.plane in (WantedPlane.AXIAL, WantedPlane.ANY) else _GAP_MM * 1.4
    pixel = FIELD_OF_VIEW_MM / size
    axes = np.column_stack([columns, rows, np.cross(columns, rows)]) @ np.diag([pixel, pixel, gap])
    # CT and PET lie straight, since a tilted gantry is refused.
    tilt = TILT_DEGREES if image.modality is Modality.MR else 0.0
    affine = rigid_matrix(degrees=(tilt, 0.0, 0.0), millimetres=(0.0, 0.0, 0.0))
    affine[:3, :3] = affine[:3, :3] @ axes
    shape = (size, size, _SLICES)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def _write_image(
    image: ImageRole, folder: Path, patient: _Patient, grid: Grid, motion: Affine, number: int
) -> DicomSeries:
    points = points_of(grid)
    values = _values(image, patient.anatomy, points, motion)
    identity, name = patient.identity, patient.name
    noise = patient.rng.normal(size=grid.shape)
    if image.modality is Modality.CT:
        agent = "IOPAMIDOL" if has_contrast(image) else ""
        series = CtProtocol(description=f"CT {image.name.upper()}", number=number, contrast=agent)
        return write_ct(folder, series, np.maximum(values + 12.0 * noise, -1024.0), grid, identity=identity, name=name)
    if image.modality is Modality.PET:
        pet = PetProtocol(description=f"PET AC {image.name.upper()}", number=number)
        return write_pet(
            folder, pet, np.maximum(values * (1.0 + 0.05 * noise), 0.0), grid, identity=identity, name=name
        )
    return write_protocol(
        folder, _mr(image, grid, number), measured(values, points, patient.rng), grid, identity=identity, name=name
    )


def _mr(image: ImageRole, grid: Grid, number: int) -> SeriesProtocol:
    """How an MR image is made; its description says what it is and no more than the times do."""
    weighting = image.weighting or Weighting.T1
    sequence, repetition, echo, inversion = _TIMES[weighting]
    plane = {WantedPlane.CORONAL: "COR", WantedPlane.SAGITTAL: "SAG"}.get(image.plane, "AX")
    word = {Weighting.PROTON_DENSITY: "PD", Weighting.T2_STAR: "T2*", Weighting.FLAIR: "FLAIR"}.get(
        weighting, weighting.value
    )
    words = [plane, word, *(["FS"] if is_suppressed(image) else []), *(["+C"] if has_contrast(image) else [])]
    return SeriesProtocol(
        name=image.name,
        description=" ".join(words),
        size=grid.shape[0],
        slices=grid.shape[2],
        gap_mm=grid.spacing[2],
        sequence=sequence,
        scan_options="FS" if is_suppressed(image) else "PFP",
        repetition_time_ms=repetition,
        echo_time_ms=echo,
        number=number,
        inversion_time_ms=inversion,
        contrast="GADOLINIUM" if has_contrast(image) else "",
    )


def _values(image: ImageRole, anatomy: Anatomy, points: NDArray[np.float64], motion: Affine) -> NDArray[np.float64]:
    """The image's values (i, j, k) of the anatomy where the motion has brought it."""
    inverse = np.linalg.inv(motion)
    still = points @ inverse[:3, :3].T + inverse[:3, 3]
    shown, rough = tissues_of(image), anatomy.texture(still)
    tumour = shown.tumour[anatomy.tissue_type] * (1.0 + 0.12 * rough)
    return anatomy.painted(still, shown.normal, rough, tumour, air=shown.air)


def _mask(label: Label, protocol: Protocol, anatomy: Anatomy, grid: Grid) -> Mask:
    """The tumour for the label that prompts draw, a ball beside it for others; a voxel is inside when its centre is."""
    points = points_of(grid)
    if label == (*protocol.prompted_labels, *protocol.labels)[0]:
        return Mask((anatomy.tumour_distance(points) < 0).astype(np.uint8), grid)
    x, y, z = anatomy.lobes[:, :3].mean(axis=0)
    angle = np.arctan2(y, x) + np.pi / 2 * (1 + protocol.labels.index(label))
    centre = (32.0 * np.cos(angle), 32.0 * np.sin(angle), z)
    return Mask((np.linalg.norm(points - centre, axis=-1) < _OTHER_RADIUS_MM).astype(np.uint8), grid)


def _imported_name(label: Label) -> str:
    """A region's name that means the label by the protocol."""
    return label.imported_names[0] if label.imported_names else label.name
