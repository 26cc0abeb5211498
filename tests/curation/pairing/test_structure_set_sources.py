"""A structure set finds the series it was drawn on: by its contours' images, by its lists, or by place."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from curation.pairing.pairing import LoadedImages, load_images, pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_series.series import DicomSeries, series_grid
from datasets.finding import Level
from datasets.image.mask import Mask
from datasets.phantom.cohort import write_phantom_cohort
from tests.curation.support.protocols import MSTT


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_cohort(folder, patients=1)
    return folder / "patient_0001"


@pytest.fixture
def study(cohort: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cohort, tmp_path / "studies"))


def _series(study: Path) -> dict[str, DicomSeries]:
    (pair,) = pair_series(scan_folder(study, protocol=MSTT), protocol=MSTT).pairs
    found = {role: choice.series.dicom for role, choice in pair.chosen.items()}
    return {role: series for role, series in found.items() if series is not None}


def _load(study: Path) -> LoadedImages:
    (pair,) = pair_series(scan_folder(study, protocol=MSTT), protocol=MSTT).pairs
    return load_images(pair)


def _regions(study: Path) -> Path:
    return study / "study" / "100_regions" / "regions.dcm"


def _edit(path: Path, change: Callable[[Dataset], object]) -> None:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def _forget_list(dataset: Dataset) -> None:
    del dataset.ReferencedFrameOfReferenceSequence


def _forget_studies(dataset: Dataset) -> None:
    del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence


def _forget_images(dataset: Dataset) -> None:
    for region in dataset.ROIContourSequence:
        for contour in region.ContourSequence:
            del contour.ContourImageSequence


def _list_of(series: DicomSeries) -> Dataset:
    listed = Dataset()
    listed.SeriesInstanceUID = series.series_uid
    listed.ContourImageSequence = []
    for header in series.slices:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = header.sop_class_uid, header.sop_instance_uid
        listed.ContourImageSequence.append(image)
    return listed


@pytest.mark.parametrize("forget", [_forget_list, _forget_studies])
def test_a_structure_set_without_lists_is_found_by_its_contours_images(
    study: Path, forget: Callable[[Dataset], object]
) -> None:
    before = _load(study).masks["t2"]["GTV_Mass"]
    _edit(_regions(study), forget)
    loaded = _load(study)
    assert loaded.findings == ()
    assert loaded.masks["t1"] == {}
    assert np.array_equal(loaded.masks["t2"]["GTV_Mass"].data, before.data)


def test_a_structure_set_that_names_nothing_is_found_by_its_place_and_it_is_said(study: Path) -> None:
    before = _load(study).masks["t2"]["GTV_Mass"]
    _edit(_regions(study), lambda dataset: (_forget_list(dataset), _forget_images(dataset)))
    loaded = _load(study)
    assert [(finding.level, finding.code) for finding in loaded.findings] == [(Level.WARNING, "rtstruct-by-position")]
    assert np.array_equal(loaded.masks["t2"]["GTV_Mass"].data, before.data)


def test_a_structure_set_that_names_nothing_and_lies_beside_the_slices_is_left_out(study: Path) -> None:
    def lift(dataset: Dataset) -> None:
        _forget_list(dataset)
        _forget_images(dataset)
        for contour in dataset.ROIContourSequence[0].ContourSequence:
            points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            contour.ContourData = [f"{value:.3f}" for value in (points + np.array([0, 0, 1.3])).ravel()]

    _edit(_regions(study), lift)
    loaded = _load(study)
    assert [(finding.level, finding.code) for finding in loaded.findings] == [(Level.ERROR, "rtstruct-other-series")]
    assert loaded.masks == {"t1": {}, "t2": {}}


@pytest.mark.slow
def test_a_structure_set_that_lists_both_series_belongs_to_the_one_whose_images_its_contours_name(study: Path) -> None:
    series = _series(study)

    def list_both(dataset: Dataset) -> None:
        listed = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        listed.RTReferencedSeriesSequence = [_list_of(series[role]) for role in ("t1", "t2")]

    before = _load(study).masks["t2"]["GTV_Mass"]
    _edit(_regions(study), list_both)
    loaded = _load(study)
    assert loaded.findings == ()
    assert loaded.masks["t1"] == {}
    assert np.array_equal(loaded.masks["t2"]["GTV_Mass"].data, before.data)


@pytest.mark.parametrize("lists", [True, False])
def test_regions_drawn_on_two_series_go_each_to_its_own(study: Path, tmp_path: Path, lists: bool) -> None:
    series = _series(study)
    drawn: dict[str, Mask] = {}
    for role, one in series.items():
        data = np.zeros((*one.slices[0].size, len(one.slices)), np.uint8)
        data[10:20, 12:30, 2 if role == "t1" else 4] = 1
        write_rtstruct(tmp_path / f"{role}.dcm", {"GTV": Mask(data, series_grid(one))}, one)
        drawn[role] = Mask(data, series_grid(one))
    both, other = (dcmread(tmp_path / f"{role}.dcm") for role in ("t1", "t2"))
    other.StructureSetROISequence[0].ROINumber = other.ROIContourSequence[0].ReferencedROINumber = 2
    both.StructureSetROISequence.append(other.StructureSetROISequence[0])
    both.ROIContourSequence.append(other.ROIContourSequence[0])
    listed = both.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    listed.RTReferencedSeriesSequence = [_list_of(one) for one in series.values()]
    if not lists:
        _forget_list(both)
    both.save_as(_regions(study))
    loaded = _load(study)
    for role, mask in drawn.items():
        assert list(loaded.masks[role]) == ["GTV"]
        assert np.array_equal(loaded.masks[role]["GTV"].data, mask.data)
    levels = {finding.level for finding in loaded.findings if finding.code == "contour-other-image"}
    assert levels == ({Level.INFO} if lists else {Level.WARNING})


@pytest.mark.parametrize("patient_id", ["P-OTHER", ""])
@pytest.mark.parametrize("is_silent", [False, True])
def test_a_structure_set_under_another_patient_id_is_named_and_makes_no_patient(
    study: Path, patient_id: str, is_silent: bool
) -> None:
    def change(dataset: Dataset) -> None:
        dataset.PatientID = patient_id
        if is_silent:
            _forget_list(dataset)
            _forget_images(dataset)

    _edit(_regions(study), change)
    scan = scan_folder(study, protocol=MSTT)
    assert ([finding.code for finding in scan.findings], scan.masks) == (["mask-of-other-patient"], ())
    assert len(scan.patient_keys) == len(pair_series(scan, protocol=MSTT).pairs) == 1
