"""Masks find their own series: structure sets, segmentations, and NIfTI by name and grid."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from curation.pairing.pairing import load_images, pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom_series.series import files_digest
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.finding import Level
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.cohort import PhantomCase, write_phantom_cohort
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import GRID, pairing_of, write_nifti_case
from tests.datasets.dicom_masks.test_segmentation import write_segmentation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[PhantomCase, ...]]:
    folder = tmp_path_factory.mktemp("phantom")
    return folder, write_phantom_cohort(folder, patients=3)


@pytest.mark.slow
def test_everything_names_its_source(cohort: tuple[Path, tuple[PhantomCase, ...]]) -> None:
    pair = pairing_of(cohort[0]).pairs[0]
    study = cohort[0] / "patient_0001" / "study"
    t1, t2 = (files_digest((study / name).iterdir()) for name in ("3_t1", "4_t2"))
    assert (pair.chosen["t1"].source_sha256, pair.chosen["t2"].source_sha256) == (t1, t2)
    assert pair.source_sha256 == sha256_of_bytes(f"{t1}\n{t2}".encode())
    digest = sha256_of_file(study / "100_regions" / "regions.dcm")
    assert load_images(pair).mask_sources["t2"] == {"GTV_Mass": digest}


def test_a_structure_set_of_another_series_is_left_out(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    regions = folder / "study" / "100_regions" / "regions.dcm"
    dataset = dcmread(regions)
    reference = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        del contour.ContourImageSequence  # what a contour names counts before what the file lists
    scout = next(found for found in scan_folder(folder, protocol=MSTT).series if found.evidence.slice_count == 3)
    assert scout.dicom is not None
    for uid, code in ((scout.dicom.series_uid, "mask-of-other-series"), ("1.2.3", "mask-without-series")):
        reference.SeriesInstanceUID = uid
        dataset.save_as(regions)
        (pair,) = pair_series(scan_folder(folder, protocol=MSTT), protocol=MSTT).pairs
        loaded = load_images(pair)
        assert [finding.code for finding in loaded.findings] == [code]
        assert loaded.masks == {"t1": {}, "t2": {}}


@pytest.mark.slow
@pytest.mark.parametrize("names_its_series", [True, False])
def test_a_segmentation_lands_on_its_series(
    cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path, names_its_series: bool
) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    (folder / "study" / "100_regions" / "regions.dcm").unlink()
    t2 = next(found for found in scan_folder(folder, protocol=MSTT).series if "T2" in found.evidence.series_description)
    region = np.zeros(t2.grid.shape, np.uint8)
    region[20:30, 20:30, 5:8] = 1
    path = write_segmentation(folder / "seg", {"Mass": region}, [dcmread(path) for path in t2.files])
    if not names_its_series:
        dataset = dcmread(path)
        del dataset.ReferencedSeriesSequence
        for group in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
            group.pop("DerivationImageSequence", None)
        dataset.save_as(path)
    (pair,) = pair_series(scan_folder(folder, protocol=MSTT), protocol=MSTT).pairs
    loaded = load_images(pair)
    assert [finding.code for finding in loaded.findings] == ([] if names_its_series else ["seg-by-position"])
    assert loaded.masks["t1"] == {}
    assert np.array_equal(loaded.masks["t2"]["Mass"].data, region)


def test_a_damaged_structure_set_is_left_out(cohort: tuple[Path, tuple[PhantomCase, ...]], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cohort[0] / "patient_0001", tmp_path / "studies"))
    regions = folder / "study" / "100_regions" / "regions.dcm"
    dataset = dcmread(regions)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    dataset.save_as(regions)
    (pair,) = pair_series(scan_folder(folder, protocol=MSTT), protocol=MSTT).pairs
    loaded = load_images(pair)
    assert [(finding.level, finding.code) for finding in loaded.findings] == [(Level.ERROR, "contour-open")]
    assert loaded.volumes.keys() == {"t1", "t2"}


def _two_labels(folder: Path) -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:4, 2:4, 3] = 1
    labels[5, 5, 3] = 2
    write_nifti_case(
        folder, {"t1_seg.nii.gz": Mask(labels, GRID), "mask.nii.gz": Mask((labels == 1).astype(np.uint8), GRID)}
    )


def test_nifti_pairs_and_masks_by_name(tmp_path: Path) -> None:
    _two_labels(tmp_path)
    (pair,) = pair_series(scan_folder(tmp_path, label_values={1: "Tumour"}, protocol=MSTT), protocol=MSTT).pairs
    loaded = load_images(pair)
    assert [finding.code for finding in loaded.findings] == ["mask-labels"]
    counts = {name: int(mask.data.sum()) for name, mask in loaded.masks["t1"].items()}
    assert counts == {"Tumour": 4, "Tumour (2)": 4, "label 2": 1}
    assert pair.tissue_type == "unknown"


def test_values_of_which_nobody_said_what_they_mean_are_asked_about(tmp_path: Path) -> None:
    """The smallest value used to be the tumour, in each file anew."""
    _two_labels(tmp_path)
    (pair,) = pairing_of(tmp_path).pairs
    loaded = load_images(pair)
    assert [finding.code for finding in loaded.findings] == ["mask-values-unclear"] * 2
    assert loaded.masks == {"t1": {}, "t2": {}}


@pytest.mark.parametrize("low", [0, 2])
def test_a_mask_counted_from_another_corner_or_cropped_lands_on_its_voxels(tmp_path: Path, low: int) -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:5, 3:6, 4:8] = 1
    affine = GRID.affine.copy()
    affine[:3, 3] = GRID.to_world([low, GRID.shape[1] - 1, low])
    affine[:3, 1] *= -1
    part = labels[low:, ::-1, low:]
    shape = (part.shape[0], part.shape[1], part.shape[2])
    write_nifti_case(tmp_path, {"t1_mask.nii.gz": Mask(np.ascontiguousarray(part), Grid(shape, affine))})
    loaded = load_images(pairing_of(tmp_path).pairs[0])
    assert [finding.code for finding in loaded.findings] == (["grid-box"] if low else [])
    assert np.array_equal(loaded.masks["t1"]["Tumour"].data, labels)


def test_a_mask_beside_its_image_is_left_out_with_how_far_and_which_way(tmp_path: Path) -> None:
    affine = GRID.affine.copy()
    affine[2, 3] -= 3.2
    write_nifti_case(tmp_path, {"t1_mask.nii.gz": Mask(np.ones(GRID.shape, np.uint8), Grid(GRID.shape, affine))})
    (finding,) = load_images(pairing_of(tmp_path).pairs[0]).findings
    assert finding.code == "mask-grid"
    assert "3.2 mm towards the feet" in finding.message


def test_a_nifti_mask_on_another_grid_is_left_out(tmp_path: Path) -> None:
    write_nifti_case(tmp_path, {"t2_fs_mask.nii.gz": Mask(np.ones(GRID.shape, np.uint8), GRID)})
    loaded = load_images(pairing_of(tmp_path).pairs[0])
    (finding,) = loaded.findings
    assert (finding.code, finding.subject) == ("mask-grid", "patient 1 (first file: 1), file 3")
    assert "0.5 x 0.5 x 4 mm" in finding.message
    assert loaded.masks == {"t1": {}, "t2": {}}
