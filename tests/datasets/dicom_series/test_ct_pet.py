"""CT in HU and PET in SUV: by each slice's own scale, refused by name, never silently in other units."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.ct_pet import CtProtocol, PetDialect, PetProtocol, write_ct, write_pet
from tests.data import STS_DICOM, STS_NIFTI, require
from tests.datasets.dicom_masks.test_segmentation import write_segmentation

IDENTITY = ["ct and pet", "CANARY-ID"]
SHAPE = (7, 5, 6)
HOUNSFIELD = np.linspace(-1000, 2000, int(np.prod(SHAPE))).round().reshape(SHAPE)
SUV = np.linspace(0, 12, int(np.prod(SHAPE))).reshape(SHAPE)


def _grid() -> Grid:
    affine = np.diag([-0.8, -1.1, 4.0, 1.0])
    affine[:3, 3] = (31.0, 22.0, -7.0)
    return Grid(SHAPE, affine)


def _ct(folder: Path, change: Callable[[Dataset, int], Any] = lambda dataset, k: None, **fields: Any) -> DicomSeries:
    protocol = CtProtocol(**fields)
    return write_ct(folder, protocol, HOUNSFIELD, _grid(), identity=IDENTITY, name="Canary", change=change)


def _pet(folder: Path, change: Callable[[Dataset, int], Any] = lambda dataset, k: None, **fields: Any) -> DicomSeries:
    protocol = PetProtocol(**fields)
    return write_pet(folder, protocol, SUV, _grid(), identity=IDENTITY, name="Canary", change=change)


def _refusal(series: DicomSeries) -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        read_series(series)
    return caught.value


def test_a_ct_is_read_in_hounsfield_units(tmp_path: Path) -> None:
    series = _ct(tmp_path, kernel="B30f", contrast="Iohexol")
    assert np.array_equal(read_series(series).data, HOUNSFIELD)
    assert read_series(series).grid.matches(_grid())
    evidence = series.evidence
    assert (evidence.modality, evidence.units, evidence.convolution_kernel) == ("CT", "HU", "B30f")
    assert (evidence.contrast_agent, evidence.gantry_tilt_degrees) == ("Iohexol", 0.0)
    assert (evidence.is_localizer, evidence.is_reformat, evidence.is_capture) == (False, False, False)
    assert series.findings == ()


def test_each_slice_of_a_ct_has_its_own_scale(tmp_path: Path) -> None:
    """Stored values are HU + 1024; slice k says (k + 1) x stored - 100 k."""

    def scale(dataset: Dataset, k: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = k + 1, -100 * k

    k = np.arange(SHAPE[2])
    assert np.array_equal(read_series(_ct(tmp_path, scale)).data, (HOUNSFIELD + 1024) * (k + 1) - 100 * k)


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_ct_that_does_not_say_its_scale_is_refused(tmp_path: Path, keyword: str) -> None:
    series = _ct(tmp_path, lambda dataset, k: delattr(dataset, keyword))
    assert [finding.code for finding in series.findings] == ["ct-no-rescale"]
    assert _refusal(series).code == "ct-no-rescale"


def test_a_map_of_a_dual_energy_ct_is_refused(tmp_path: Path) -> None:
    series = _ct(tmp_path, lambda dataset, k: setattr(dataset, "RescaleType", "Z_EFF"))
    assert series.evidence.units == "Z_EFF"
    assert _refusal(series).code == "ct-units"


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path: Path) -> None:
    refusal = _refusal(_ct(tmp_path, lambda dataset, k: setattr(dataset, "GantryDetectorTilt", "-15.5")))
    assert refusal.code == "series-tilted"
    assert "15.5 degrees" in refusal.message
    assert "NIfTI" in refusal.remedy


def test_a_sheared_stack_is_refused_whatever_the_header_says_of_the_tilt(tmp_path: Path) -> None:
    """The table moves along the body, 4 mm a slice, and 1 mm across: tilted by atan(1 / 4) = 14.0 degrees."""

    def shear(dataset: Dataset, k: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + k, z]

    refusal = _refusal(_ct(tmp_path, shear))
    assert refusal.code == "series-tilted"
    assert "14.0 degrees" in refusal.message


@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (("ORIGINAL", "PRIMARY", "LOCALIZER"), "is_localizer"),
        (("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"), "is_reformat"),
        (("DERIVED", "PRIMARY", "MPR"), "is_reformat"),
        (("DERIVED", "SECONDARY", "SCREEN SAVE"), "is_capture"),
    ],
)
def test_what_is_no_ct_to_draw_on_is_told_by_its_image_type(
    tmp_path: Path, image_type: tuple[str, ...], kind: str
) -> None:
    evidence = _ct(tmp_path, image_type=image_type).evidence
    found = {name for name in ("is_localizer", "is_reformat", "is_capture") if getattr(evidence, name)}
    assert found == {kind}


def test_a_dose_report_is_a_capture(tmp_path: Path) -> None:
    evidence = _ct(tmp_path, lambda dataset, k: setattr(dataset, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7")).evidence
    assert evidence.is_capture


def test_two_kernels_between_each_other_are_no_split_stack(tmp_path: Path) -> None:
    _ct(tmp_path / "soft", kernel="B30f")

    def between(dataset: Dataset, k: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 2]

    _ct(tmp_path / "lung", between, kernel="B70f")
    found = group_series(read_header(path) for path in sorted(tmp_path.rglob("*.dcm")))
    assert [series.findings for series in found] == [(), ()]


@pytest.mark.parametrize("dialect", list(PetDialect))
def test_a_pet_is_read_in_suv_in_each_dialect(tmp_path: Path, dialect: PetDialect) -> None:
    series = _pet(tmp_path, dialect=dialect)
    assert series.findings == ()
    assert np.abs(read_series(series).data - SUV).max() < 0.001
    evidence = series.evidence
    assert (evidence.modality, evidence.units) == ("PT", {"philips": "CNTS", "suv": "GML"}.get(dialect, "BQML"))
    assert (evidence.is_attenuation_corrected, evidence.is_gated_or_dynamic) == (True, False)


def test_the_factor_and_how_it_was_found_are_the_evidence(tmp_path: Path) -> None:
    """70000 g / (370e6 Bq x 2^-(3600 / 6586.2) = 253.314e6 Bq) = 2.76337e-4."""
    evidence = _pet(tmp_path).evidence
    assert evidence.suv_factor == pytest.approx(2.76337e-4, rel=1e-5)
    assert evidence.suv_from == "series-time"


def test_a_pet_without_weight_is_refused_by_the_attributes_name_and_no_other_series(tmp_path: Path) -> None:
    _ct(tmp_path / "ct")
    _pet(tmp_path / "pet", lambda dataset, k: delattr(dataset, "PatientWeight"))
    ct, pet = group_series(read_header(path) for path in sorted(tmp_path.rglob("*.dcm")))
    assert np.array_equal(read_series(ct).data, HOUNSFIELD)
    assert [finding.code for finding in pet.findings] == ["pet-header-incomplete"]
    refusal = _refusal(pet)
    assert "Patient's Weight (0010,1030)" in refusal.message
    assert "Canary" not in str(refusal)


def test_a_pet_without_slope_is_refused_by_its_name(tmp_path: Path) -> None:
    refusal = _refusal(_pet(tmp_path, lambda dataset, k: delattr(dataset, "RescaleSlope")))
    assert refusal.code == "pet-header-incomplete"
    assert "Rescale Slope (0028,1053)" in refusal.message


def test_fewer_slices_than_the_pet_counts_are_said(tmp_path: Path) -> None:
    series = _pet(tmp_path, lambda dataset, k: setattr(dataset, "NumberOfSlices", SHAPE[2] + 2))
    assert [finding.code for finding in series.findings] == ["series-incomplete"]
    assert np.abs(read_series(series).data - SUV).max() < 0.001


def test_a_pet_that_is_not_corrected_for_attenuation_is_told(tmp_path: Path) -> None:
    series = _pet(tmp_path, is_corrected=False)
    assert series.evidence.is_attenuation_corrected is False
    assert [finding.code for finding in series.findings] == ["pet-not-attenuation-corrected"]


def test_captures_among_the_pet_are_never_read_as_suv(tmp_path: Path) -> None:
    series = _pet(tmp_path, lambda dataset, k: setattr(dataset, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"))
    assert series.evidence.is_capture
    assert _refusal(series).code == "pet-no-image"


@pytest.mark.parametrize("keyword", ["FrameReferenceTime", "TriggerTime"])
def test_several_times_of_one_place_are_refused(tmp_path: Path, keyword: str) -> None:
    for number in range(2):
        write_pet(
            tmp_path / str(number), PetProtocol(), SUV + number, _grid(), identity=IDENTITY, name="Canary",
            change=lambda dataset, k, number=number: [
                setattr(dataset, "SeriesInstanceUID", "1.2.3"), setattr(dataset, keyword, 90000 + 60000 * number),
            ],
        )  # fmt: skip
    found = group_series(read_header(path) for path in sorted(tmp_path.rglob("*.dcm")))
    assert len(found) == 2
    for series in found:
        assert series.evidence.is_gated_or_dynamic
        assert _refusal(series).code == "pet-several-times"


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_masks_on_ct_and_pet_come_along(tmp_path: Path, modality: str) -> None:
    series = _ct(tmp_path / "image") if modality == "CT" else _pet(tmp_path / "image")
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[2:5, 1:4, 1:5] = 1
    mask = Mask(drawn, _grid())
    write_rtstruct(tmp_path / "regions.dcm", {"GTV": mask}, series)
    contours = read_structure_set(tmp_path / "regions.dcm", series)
    assert np.array_equal(contours.masks["GTV"].data, drawn)
    write_segmentation(tmp_path / "seg.dcm", {"GTV": drawn}, [dcmread(header.path) for header in series.slices])
    segments = read_segment_set(tmp_path / "seg.dcm", series)
    assert np.array_equal(segments.masks["GTV"].data, drawn)


@pytest.mark.parametrize("patient", ["STS_002", "STS_003"])
@pytest.mark.parametrize("modality", ["CT", "PET"])
def test_real_ct_and_pet_agree_with_the_published_volumes(
    patient: str, modality: str, tell_figure: Callable[[str], None]
) -> None:
    """The publishers' DICOM and NIfTI hold the same voxels on the same grid; their PET says GML and is SUV."""
    folder = require(STS_DICOM / patient / modality)
    (series,) = group_series(read_header(path) for path in sorted((folder / "image").iterdir()))
    assert series.findings == ()
    assert series.evidence.suv_from == ("units" if modality == "PET" else "")
    volume = read_series(series)
    published = read_volume(require(STS_NIFTI / patient) / f"{modality}_image.nii.gz")
    assert volume.grid.matches(published.grid)
    largest = float(np.abs(volume.data - published.data).max())
    mask = read_structure_set(next((folder / "mask").iterdir()), series)
    ((name, ours),) = mask.masks.items()
    theirs = read_mask(STS_NIFTI / patient / f"{modality}_mask.nii.gz")
    same = np.count_nonzero(ours.foreground & theirs.foreground)
    dice = 2.0 * same / (np.count_nonzero(ours.foreground) + np.count_nonzero(theirs.foreground))
    tell_figure(
        f"{patient} {modality}: DICOM against the published NIfTI: at most {largest:.2g} of "
        f"{volume.data.max():.4g} apart, Dice of the masks {dice:.4f}"
    )
    assert largest <= _APART[modality]
    assert dice > 0.99
    assert {finding.code for finding in mask.findings} <= {"rtstruct-images-absent"}  # it lists those before the crop
    assert name.startswith("GTV_Mass")


_APART = {"CT": 0.5, "PET": 1e-3}
"""Rounding of the publishers' stored values: half a HU, and SUV."""
