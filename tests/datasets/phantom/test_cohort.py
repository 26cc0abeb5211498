"""The phantom: its files read back as its ground truth, the same seed gives the same bytes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.files import sha256_of_file
from datasets.image.volume import Volume
from datasets.phantom.anatomy import TissueType
from datasets.phantom.cohort import PHANTOM_MASK_NAME, PhantomCase, write_phantom_cohort

pytestmark = pytest.mark.slow

Cohort = tuple[Path, tuple[PhantomCase, ...]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_phantom_cohort(folder, patients=5, seed=3)


def _patient(cohort: Cohort, index: int) -> tuple[dict[str, DicomSeries], Path]:
    headers = [read_header(path) for path in sorted((cohort[0] / f"patient_{index + 1:04d}").rglob("IM*"))]
    regions = next((cohort[0] / f"patient_{index + 1:04d}").rglob("regions.dcm"))
    return {series.evidence.series_description: series for series in group_series(headers)}, regions


def test_every_tissue_type_occurs_once(cohort: Cohort) -> None:
    assert {case.tissue_type for case in cohort[1]} == set(TissueType)
    table = (cohort[0] / "cases.csv").read_text().splitlines()
    assert table[0] == "patient_id,tissue_type,anatomical_site"
    assert table[2] == "PHANTOM-0002,fat,lower leg"


@pytest.mark.parametrize("index", range(5))
def test_the_structure_set_gives_the_known_mask_back(cohort: Cohort, index: int) -> None:
    series, regions = _patient(cohort, index)
    mask = read_structure_set(regions, series["AX T2 TSE FS"]).sound()[PHANTOM_MASK_NAME]
    truth = cohort[1][index].tumour
    assert mask.grid.matches(truth.grid)
    overlap = 2 * np.count_nonzero(mask.foreground & truth.foreground)
    assert overlap / (np.count_nonzero(mask.data) + np.count_nonzero(truth.data)) > 0.98
    assert 5 < truth.volume_ml < 60
    assert not truth.foreground[:, :, [0, -1]].any()  # the whole tumour is in the field of view


def test_series_have_their_own_resolution(cohort: Cohort) -> None:
    series, _ = _patient(cohort, 0)
    assert series_grid(series["AX T1 SE"]).describe() == "160 x 160 x 20 voxels of 1 x 1 x 4.5 mm"
    assert series_grid(series["AX T2 TSE FS"]).describe() == "128 x 128 x 18 voxels of 1.25 x 1.25 x 5 mm"
    assert series["LOCALIZER"].evidence.slice_count == 3


@pytest.mark.parametrize("index", [1, 2])
def test_contrast_follows_the_tissue_type(cohort: Cohort, index: int) -> None:
    series, _ = _patient(cohort, index)
    case = cohort[1][index]
    t2 = read_series(series["AX T2 TSE FS"])
    t1 = _sampled_at(read_series(series["AX T1 SE"]), case, case.t2_to_t1)
    inside = case.tumour.foreground
    limb = (t2.data > 150) & ~inside
    t1_ratio = np.median(t1[inside]) / np.median(t1[limb])
    t2_ratio = np.median(t2.data[inside]) / np.median(t2.data[limb])
    if case.tissue_type is TissueType.FAT:
        assert t1_ratio > 1.5
        assert t2_ratio < 0.8
    else:
        assert case.tissue_type is TissueType.MYXOID
        assert t1_ratio < 0.9
        assert t2_ratio > 3


@pytest.mark.parametrize("index", range(5))
def test_the_true_transform_brings_t1_onto_t2(cohort: Cohort, index: int) -> None:
    series, _ = _patient(cohort, index)
    case = cohort[1][index]
    t1, t2 = read_series(series["AX T1 SE"]), read_series(series["AX T2 TSE FS"])
    middle = (slice(None), slice(None), slice(5, 13))
    body = (np.asarray(t2.data) > 90)[middle]
    before, with_inverse, after = (
        _dice((_sampled_at(t1, case, matrix) > 180)[middle], body)
        for matrix in (np.eye(4), case.t1_to_t2, case.t2_to_t1)
    )
    assert after > 0.97
    assert after > before > with_inverse
    assert np.allclose(case.t2_to_t1 @ case.t1_to_t2, np.eye(4))


def test_patients_move_differently_and_mildly(cohort: Cohort) -> None:
    moves = [case.t2_to_t1 for case in cohort[1]]
    for index, move in enumerate(moves):
        angle = np.degrees(np.arccos((np.trace(move[:3, :3]) - 1) / 2))
        assert 1 < angle < 6
        assert 2 < np.linalg.norm(move[:3, 3]) < 7
        assert not any(np.allclose(move, other) for other in moves[:index])


@pytest.mark.slow
def test_same_seed_gives_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    write_phantom_cohort(tmp_path / "again", patients=1, seed=3)
    write_phantom_cohort(tmp_path / "other", patients=1, seed=4)
    again, other, first = (
        {path.relative_to(folder): sha256_of_file(path) for path in sorted((folder / "patient_0001").rglob("*.*"))}
        for folder in (tmp_path / "again", tmp_path / "other", cohort[0])
    )
    assert len(again) == 20 + 18 + 1
    assert again == first
    assert again.keys() == other.keys()
    assert not set(again.values()) & set(other.values())


def _sampled_at(t1: Volume, case: PhantomCase, matrix: np.ndarray) -> np.ndarray:
    """T1 on T2's grid, sampled at `matrix @ p`."""
    points = case.tumour.grid.to_world(np.moveaxis(np.indices(case.tumour.grid.shape), 0, -1))
    voxels = t1.grid.to_voxel(points @ matrix[:3, :3].T + matrix[:3, 3])
    return map_coordinates(np.asarray(t1.data), np.moveaxis(voxels, -1, 0), order=1, mode="nearest")


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
