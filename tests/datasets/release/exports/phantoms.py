"""Cases that no reader can turn or mirror unnoticed: each voxel's value says where it lies in the patient.

A value is a plane over millimetres, another for each role; labels are regions that look different from every side. So a
reader's array with a reader's affine can be compared with the patient, whatever order its axes have.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings
from datasets.study.case import QualityScore

TUMOUR, OEDEMA = 1, 3
LABELS = {TUMOUR: "Tumour", OEDEMA: "Oedema"}

PLANES: Mapping[str, tuple[float, float, float, float]] = {
    "t1": (700.0, 3.0, 5.0, 7.0),
    "t2": (900.0, -4.0, 2.5, 6.0),
    "ct": (40.0, 2.0, -3.0, 5.0),
    "pet": (400.0, 1.0, 2.0, 3.0),
}
"""Value at the origin, and by how much it grows in a millimetre to the right, to anterior, to superior."""

SETTINGS = ReleaseSettings(
    name="asymmetric-phantoms",
    version="1.0.0",
    licence="CC-BY-4.0",
    licence_text="Creative Commons Attribution 4.0 International",
    seed=3,
    folds=2,
    labels=LABELS,
    roles=(
        ReleaseRole("t1", "T1-weighted", "t1"),
        ReleaseRole("t2", "T2, fat-suppressed", "t2-fs"),
        ReleaseRole("ct", "CT", "ct", is_required=False),
    ),
)


def _turned(degrees: tuple[float, float], spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    (a, b), affine = np.deg2rad(degrees), np.eye(4)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine[:3, :3] = about_x @ about_z @ np.diag(spacing)
    affine[:3, 3] = (-11.0, 7.5, 3.25)
    return affine


def _diagonal(columns: NDArray[np.float64], origin: tuple[float, float, float]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    return affine


GRIDS: Mapping[str, Grid] = {
    "sub-0001_ses-1": Grid((9, 8, 5), _turned((17.0, 23.0), (0.7, 0.9, 3.3))),
    "sub-0002_ses-1": Grid((8, 7, 6), _diagonal(np.diag([-0.8, 1.1, 2.5]), (20.0, -4.0, 9.0))),
    "sub-0003_ses-1": Grid((10, 9, 4), _diagonal(np.array([[0, 0, 6.0], [1.0, 0, 0], [0, -0.5, 0]]), (3.0, 5.0, 8.0))),
    "sub-0004_ses-1": Grid((7, 10, 6), _diagonal(np.diag([-1.0, -1.0, 2.0]), (6.0, 8.0, -5.0))),
}
"""Oblique and anisotropic; left-handed; sagittal with slices 6 mm apart; as a DICOM series lies."""

WITHOUT_CT = "sub-0004_ses-1"
EMPTY = "sub-0003_ses-1"


def value_at(role: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value (…) of an image at points (…, 3) in RAS+ millimetres; CT has whole numbers."""
    start, *slope = PLANES[role]
    values = start + points @ np.array(slope)
    return np.rint(values) if role == "ct" else values


def labels_at(points: NDArray[np.float64], grid: Grid) -> NDArray[np.uint8]:
    """The labels (…) at points (…, 3) in RAS+ millimetres."""
    x, y, z = np.moveaxis(points - grid.centre_mm - (0.131, 0.171, 0.119), -1, 0)
    tumour = (x > 0) & (y > 0) & (z > -1.9)
    return np.where(tumour, TUMOUR, np.where((x < 0) & (y < 0) & (z > 0), OEDEMA, 0)).astype(np.uint8)


def points_of(grid: Grid) -> NDArray[np.float64]:
    """Where every voxel of a grid lies, (i, j, k, 3)."""
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def write_cases(folder: Path, *, empty: str | None = EMPTY, complete: bool = False) -> list[ReleaseCase]:
    """One case a grid.

    Args:
        folder: Where to.
        empty: The case whose mask is empty.
        complete: Whether `WITHOUT_CT` has a CT, too.
    """
    return [
        _write_case(folder / code, code, grid, is_empty=code == empty, has_ct=complete or code != WITHOUT_CT)
        for code, grid in GRIDS.items()
    ]


def _write_case(folder: Path, code: str, grid: Grid, *, is_empty: bool, has_ct: bool) -> ReleaseCase:
    points, images = points_of(grid), {}
    for role in ("t1", "t2", *(["ct"] if has_ct else [])):
        images[role] = folder / f"{role}.nii.gz"
        write_volume(images[role], Volume(value_at(role, points).astype(np.float32), grid))
    labels = labels_at(points, grid) * np.uint8(not is_empty)
    write_mask(folder / "mask.nii.gz", Mask(labels, grid, LABELS))
    return ReleaseCase(
        code=code,
        tissue_type="myxoid" if code < "sub-0003" else "fat",
        anatomical_site="thigh, left",
        images=images,
        drawn_role="t1" if code == "sub-0003_ses-1" else "t2",
        mask=folder / "mask.nii.gz",
        quality_score=QualityScore.CANNOT_LOCATE if is_empty else QualityScore.EXCELLENT,
    )


def require_in_place(
    data: NDArray[np.generic], affine: NDArray[np.float64], role: str, *, off_by: float = 0.01
) -> None:
    """An image as a reader gave it is where it was in the patient.

    Args:
        data: (i, j, k) in the reader's order.
        affine: The reader's, to RAS+ millimetres.
        role: Whose values it must have.
        off_by: By how much a value may differ.
    """
    grid = Grid((data.shape[0], data.shape[1], data.shape[2]), affine)
    expected = value_at(role, points_of(grid))
    # A CT's value is rounded: where rounding turns on a float32 of the affine it may be the next whole number.
    np.testing.assert_allclose(np.asarray(data, dtype=np.float64), expected, atol=off_by + (role == "ct"), rtol=1e-5)


def require_labels_in_place(
    data: NDArray[np.generic],
    affine: NDArray[np.float64],
    code: str,
    *,
    values: Mapping[int, int] | None = None,
) -> None:
    """A mask as a reader gave it holds the labels of a case where they were in the patient.

    Args:
        data: (i, j, k) in the reader's order.
        affine: The reader's, to RAS+ millimetres.
        code: The case.
        values: The value of each label there; None for the release's own.
    """
    grid = Grid((data.shape[0], data.shape[1], data.shape[2]), affine)
    assert sorted(grid.shape) == sorted(GRIDS[code].shape)
    labels = labels_at(points_of(grid), GRIDS[code])
    table = np.zeros(256, np.uint8)
    for value in LABELS:
        table[value] = (values or {value: value})[value]
    np.testing.assert_array_equal(np.asarray(data), table[labels])
