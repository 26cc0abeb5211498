"""Structure sets: contours land on their own series' grid, holes stay holes, foreign ones are refused by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_series.series import DicomSeries, group_series
from datasets.errors import GeometryError, RejectedInput
from datasets.finding import Level
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol
from tests.datasets.support.enhanced_files import stack, write_enhanced

STS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "sts"
needs_sts = pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma data are not beside the checkout")

GRID = Grid((40, 30, 5), np.diag([-0.8, -1.25, 4.0, 1.0]))
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=40, slices=5, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _write_series(folder: Path, patient: str) -> DicomSeries:
    pixels = np.zeros(GRID.shape, dtype=np.uint16)
    return write_protocol(folder, PROTOCOL, pixels, GRID, identity=["test", patient], name="Canary^Nightingale")


@pytest.fixture
def series(tmp_path: Path) -> DicomSeries:
    return _write_series(tmp_path / "image", "CANARY-1")


@pytest.fixture
def regions(tmp_path: Path, series: DicomSeries) -> Path:
    data = np.zeros(GRID.shape, dtype=np.uint8)
    data[5:15, 8:20, 1:3] = 1
    write_rtstruct(tmp_path / "regions.dcm", {"GTV_Mass": Mask(data, GRID)}, series)
    return tmp_path / "regions.dcm"


def _random_mask(seed: int) -> Mask:
    """Blobs with holes, islands, diagonal neighbours and pixels on the picture's edge."""
    noise = np.random.default_rng(seed).random(GRID.shape)
    return Mask((noise > 0.6).astype(np.uint8), GRID)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_any_mask_comes_back_voxel_by_voxel(tmp_path: Path, series: DicomSeries, seed: int) -> None:
    masks = {"GTV_Mass": _random_mask(seed), "GTV_Edema": _random_mask(seed + 100)}
    write_rtstruct(tmp_path / "regions.dcm", masks, series)
    back = read_structure_set(tmp_path / "regions.dcm", series).sound()
    assert list(back) == list(masks)
    for name, mask in masks.items():
        assert back[name].grid.matches(GRID)
        assert np.array_equal(back[name].data, mask.data)
        assert back[name].labels == {1: name}


def test_a_contour_within_a_contour_is_a_hole(tmp_path: Path, series: DicomSeries) -> None:
    data = np.zeros(GRID.shape, dtype=np.uint8)
    data[5:25, 5:25, 2] = 1
    data[10:20, 12:18, 2] = 0
    data[13:16, 14:16, 2] = 1  # an island in the hole
    write_rtstruct(tmp_path / "regions.dcm", {"ring": Mask(data, GRID)}, series)
    contours = dcmread(tmp_path / "regions.dcm").ROIContourSequence[0].ContourSequence
    assert len(contours) == 3
    assert np.array_equal(read_structure_set(tmp_path / "regions.dcm", series).sound()["ring"].data, data)


@pytest.mark.slow
def test_the_same_masks_give_the_same_bytes(tmp_path: Path, series: DicomSeries) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_rtstruct(tmp_path / name, {"GTV_Mass": _random_mask(0)}, series)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_a_mask_on_another_grid_is_not_written(tmp_path: Path, series: DicomSeries) -> None:
    other = Grid(GRID.shape, np.diag([-0.8, -1.25, 4.5, 1.0]))
    with pytest.raises(GeometryError):
        write_rtstruct(tmp_path / "regions.dcm", {"GTV": Mask(np.zeros(GRID.shape, np.uint8), other)}, series)
    assert not (tmp_path / "regions.dcm").exists()


def test_another_series_is_refused(tmp_path: Path, regions: Path) -> None:
    other = _write_series(tmp_path / "other", "CANARY-2")
    with pytest.raises(RejectedInput) as caught:
        read_structure_set(regions, other).sound()
    assert caught.value.code == "rtstruct-other-series"
    assert "CANARY" not in str(caught.value)


def test_an_image_is_no_structure_set(series: DicomSeries) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_structure_set(series.files[0], series).sound()
    assert caught.value.code == "rtstruct-other-object"


def _first_contour(dataset: Dataset) -> Dataset:
    return dataset.ROIContourSequence[0].ContourSequence[0]


def _move_contours(dataset: Dataset, *, axis: int, millimetres: float) -> None:
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        points[:, axis] += millimetres
        contour.ContourData = [f"{value:.3f}" for value in points.ravel()]


def _tilt_contour(dataset: Dataset, *, millimetres: float) -> None:
    points = np.array(_first_contour(dataset).ContourData, dtype=np.float64).reshape(-1, 3)
    points[:, 2] += millimetres * (points[:, 0] - points[:, 0].mean()) / np.ptp(points[:, 0])
    _first_contour(dataset).ContourData = [f"{value:.3f}" for value in points.ravel()]


def _leave_frame(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"


EDITS: dict[str, list[Callable[[Dataset], object]]] = {
    "rtstruct-other-frame": [_leave_frame],
    "contour-open": [lambda dataset: setattr(_first_contour(dataset), "ContourGeometricType", "OPEN_PLANAR")],
    "contour-off-slice": [lambda dataset: _tilt_contour(dataset, millimetres=2.0)],
    "contour-outside": [
        lambda dataset: _move_contours(dataset, axis=0, millimetres=80.0),
        lambda dataset: _move_contours(dataset, axis=1, millimetres=-80.0),
    ],
    "contour-image-differs": [lambda dataset: _move_contours(dataset, axis=2, millimetres=40.0)],
    "contour-coordinates": [lambda dataset: setattr(_first_contour(dataset), "ContourData", ["1", "2", "3", "4"])],
}


def _cases() -> Iterator[tuple[str, Callable[[Dataset], object]]]:
    for code, edits in EDITS.items():
        for edit in edits:
            yield code, edit


@pytest.mark.parametrize(("code", "edit"), list(_cases()))
def test_an_unsound_contour_is_refused_by_name(
    series: DicomSeries, regions: Path, code: str, edit: Callable[[Dataset], object]
) -> None:
    dataset = dcmread(regions)
    edit(dataset)
    dataset.save_as(regions)
    with pytest.raises(RejectedInput) as caught:
        read_structure_set(regions, series).sound()
    assert caught.value.code == code


@pytest.mark.slow
def test_a_bad_region_spares_the_others(tmp_path: Path, series: DicomSeries) -> None:
    masks = {name: _random_mask(seed) for seed, name in enumerate(("Canary", "GTV_Mass", "GTV_Edema"))}
    write_rtstruct(tmp_path / "regions.dcm", masks, series)
    dataset = dcmread(tmp_path / "regions.dcm")
    _first_contour(dataset).ContourGeometricType = "OPEN_NONPLANAR"
    dataset.StructureSetROISequence[2].ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(tmp_path / "regions.dcm")
    found = read_structure_set(tmp_path / "regions.dcm", series)
    assert list(found.masks) == ["GTV_Mass"]
    assert np.array_equal(found.masks["GTV_Mass"].data, masks["GTV_Mass"].data)
    errors = [finding for finding in found.findings if finding.level is Level.ERROR]
    assert {finding.code for finding in found.findings if finding not in errors} <= {"contour-gap"}  # noise has gaps
    assert [(finding.level, finding.code, finding.subject) for finding in errors] == [
        (Level.ERROR, "contour-open", "region 1"),
        (Level.ERROR, "rtstruct-other-frame", "region 3"),
    ]
    assert "Canary" not in str(found.findings)
    with pytest.raises(RejectedInput) as caught:
        read_structure_set(tmp_path / "regions.dcm", series).sound()
    assert caught.value.code == "contour-open"


def test_a_contour_between_slices_is_read_and_named(series: DicomSeries, regions: Path) -> None:
    before = read_structure_set(regions, series).sound()["GTV_Mass"]
    dataset = dcmread(regions)
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        contour.ContourData = [f"{value:.3f}" for value in (points + np.array([0, 0, 1.2])).ravel()]
    dataset.save_as(regions)
    found = read_structure_set(regions, series)
    assert np.array_equal(found.masks["GTV_Mass"].data, before.data)
    (finding,) = found.findings
    assert (finding.level, finding.code) == (Level.WARNING, "contour-between-slices")
    assert "1.20 mm" in finding.message


def test_contours_marked_for_exclusive_or_are_holes_too(tmp_path: Path, series: DicomSeries) -> None:
    data = np.zeros(GRID.shape, dtype=np.uint8)
    data[5:25, 5:25, 2] = 1
    data[10:20, 12:18, 2] = 0
    write_rtstruct(tmp_path / "regions.dcm", {"ring": Mask(data, GRID)}, series)
    dataset = dcmread(tmp_path / "regions.dcm")
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = "CLOSEDPLANAR_XOR"
    dataset.save_as(tmp_path / "regions.dcm")
    assert np.array_equal(read_structure_set(tmp_path / "regions.dcm", series).sound()["ring"].data, data)


def test_slices_that_the_contours_were_drawn_on_and_that_are_not_there_are_named(
    series: DicomSeries, regions: Path
) -> None:
    (shorter,) = group_series(series.slices[:4])
    found = read_structure_set(regions, shorter)
    assert list(found.masks) == ["GTV_Mass"]
    (finding,) = found.findings
    assert finding.code == "rtstruct-images-absent"
    assert "the 5 images" in finding.message
    assert "1 are missing" in finding.message


def test_contours_that_name_unknown_images_and_regions_without_a_name_are_said(
    series: DicomSeries, regions: Path
) -> None:
    dataset = dcmread(regions)
    del dataset.StructureSetROISequence[0].ROIName
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourImageSequence[0].ReferencedSOPInstanceUID = "2.25.999"
    dataset.save_as(regions)
    found = read_structure_set(regions, series)
    assert list(found.masks) == ["region 1"]
    assert [finding.code for finding in found.findings] == ["rtstruct-images-unknown", "region-unnamed"]


@pytest.mark.slow
def test_masks_go_through_contours_on_an_enhanced_series(tmp_path: Path) -> None:
    frames = stack(GRID, np.zeros(GRID.shape, dtype=np.uint16))
    path = write_enhanced(tmp_path / "image.dcm", frames, identity=["test", "CANARY-3"])
    (enhanced,) = group_series([read_header(path)])
    mask = _random_mask(7)
    write_rtstruct(tmp_path / "regions.dcm", {"GTV": mask}, enhanced)
    assert np.array_equal(read_structure_set(tmp_path / "regions.dcm", enhanced).sound()["GTV"].data, mask.data)
    image = _first_contour(dcmread(tmp_path / "regions.dcm")).ContourImageSequence[0]
    assert image.ReferencedFrameNumber == 1


def test_points_are_left_out_and_names_stay_apart(series: DicomSeries, regions: Path) -> None:
    dataset = dcmread(regions)
    for number, kind in ((2, "POINT"), (3, "CLOSED_PLANAR")):
        region, contours = (
            Dataset.from_json(sequence[0].to_json())
            for sequence in (dataset.StructureSetROISequence, dataset.ROIContourSequence)
        )
        region.ROINumber = contours.ReferencedROINumber = number
        for contour in contours.ContourSequence:
            contour.ContourGeometricType = kind
        dataset.StructureSetROISequence.append(region)
        dataset.ROIContourSequence.append(contours)
    dataset.save_as(regions)
    assert list(read_structure_set(regions, series).sound()) == ["GTV_Mass", "GTV_Mass (2)"]


def _real(name: str) -> dict[str, Mask]:
    folder = STS / "dicom" / name
    (series,) = group_series(read_header(path) for path in sorted((folder / "image").iterdir()))
    return read_structure_set(next((folder / "mask").iterdir()), series).sound()


@pytest.mark.slow
@needs_sts
def test_t1_and_t2_of_a_real_patient_agree() -> None:
    t1, t2 = _real("STS_001/MR_T1"), _real("STS_001/MR_T2")
    assert list(t1) == list(t2) == ["GTV_Mass", "GTV_Edema"]
    for name, least, most in (("GTV_Mass", 350, 380), ("GTV_Edema", 560, 600)):
        assert least < t1[name].volume_ml < most
        assert t1[name].volume_ml == pytest.approx(t2[name].volume_ml, rel=0.02)
