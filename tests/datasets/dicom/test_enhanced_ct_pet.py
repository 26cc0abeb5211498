"""Enhanced CT and PET: frames of one object, in HU and in SUV as classic files are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage

from datasets.dicom.header import read_header
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from tests.datasets.support.enhanced_files import Frame, write_enhanced

SHAPE = (5, 4, 3)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
GRID = Grid(SHAPE, np.diag([-0.9, -0.9, 3.0, 1.0]))


def _item(**fields: Any) -> Dataset:
    item = Dataset()
    for keyword, value in fields.items():
        setattr(item, keyword, value)
    return item


def read_enhanced(path: Path, change: Any) -> DicomSeries:
    frames = [Frame(GRID, k, PIXELS[:, :, k], rescale=(2.0, -1000.0 - k)) for k in range(SHAPE[2])]
    write_enhanced(path, frames, identity=["enhanced", "CANARY-ID"], change=change)
    (series,) = group_series([read_header(path)])
    return series


def _as_ct(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = EnhancedCTImageStorage, "CT"
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.CTReconstructionSequence = [_item(ConvolutionKernel="B30f")]
    shared.CTAcquisitionDetailsSequence = [_item(GantryDetectorTilt=0.0)]
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        del groups.MRImageFrameTypeSequence
        groups.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])]
        groups.PixelValueTransformationSequence[0].RescaleType = "HU"


def _tilt(dataset: Dataset) -> None:
    _as_ct(dataset)
    dataset.SharedFunctionalGroupsSequence[0].CTAcquisitionDetailsSequence[0].GantryDetectorTilt = 12.0


def as_pet(dataset: Dataset) -> None:
    """Injected at 10:00:00, corrected to 11:00:00: 370e6 x 2^-(3600 / 6586.2) = 253.314e6 Bq; 70 kg."""
    dataset.SOPClassUID, dataset.Modality, dataset.PatientWeight = EnhancedPETImageStorage, "PT", 70.0
    dataset.AttenuationCorrected, dataset.DecayCorrected = "YES", "YES"
    dataset.DecayCorrectionDateTime = "20200102110000"
    isotope = _item(RadionuclideTotalDose=370e6, RadionuclideHalfLife=6586.2)
    isotope.RadiopharmaceuticalStartDateTime = "20200102100000"
    dataset.RadiopharmaceuticalInformationSequence = [isotope]
    for k, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        units = _item(CodeValue="Bq/ml", CodingSchemeDesignator="UCUM", CodeMeaning="Bq/ml")
        mapping = _item(RealWorldValueSlope=100.0 * (k + 1), RealWorldValueIntercept=0.0)
        mapping.MeasurementUnitsCodeSequence = [units]
        groups.RealWorldValueMappingSequence = [mapping]


def test_an_enhanced_ct_is_read_in_hounsfield_units(tmp_path: Path) -> None:
    series = read_enhanced(tmp_path / "a.dcm", _as_ct)
    assert np.array_equal(read_series(series).data, 2.0 * PIXELS - 1000 - np.arange(SHAPE[2]))
    evidence = series.evidence
    assert (evidence.modality, evidence.units, evidence.convolution_kernel) == ("CT", "HU", "B30f")
    assert evidence.image_type == ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
    assert series.findings == ()


def test_a_tilted_enhanced_ct_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match=r"12\.0 degrees"):
        read_series(read_enhanced(tmp_path / "a.dcm", _tilt))


def test_an_enhanced_pet_is_read_in_suv(tmp_path: Path) -> None:
    """Frame k holds 100 (k + 1) Bq/ml a stored value; 70000 g / 253.314e6 Bq = 2.76337e-4."""
    series = read_enhanced(tmp_path / "a.dcm", as_pet)
    expected = PIXELS * 100.0 * np.arange(1, SHAPE[2] + 1) * 2.76337e-4
    assert np.allclose(read_series(series).data, expected, rtol=1e-5)
    assert (series.evidence.units, series.evidence.suv_from) == ("BQML", "decay-correction-time")
    assert series.evidence.is_attenuation_corrected


@pytest.mark.parametrize(
    ("keyword", "code"),
    [
        ("RadiopharmaceuticalInformationSequence", "pet-header-incomplete"),
        ("DecayCorrectionDateTime", "pet-header-incomplete"),
        ("AttenuationCorrected", "pet-header-incomplete"),
    ],
)
def test_an_enhanced_pet_that_says_too_little_is_refused(tmp_path: Path, keyword: str, code: str) -> None:
    def change(dataset: Dataset) -> None:
        as_pet(dataset)
        delattr(dataset, keyword)

    series = read_enhanced(tmp_path / "a.dcm", change)
    assert [finding.code for finding in series.findings] == [code]


def test_a_legacy_converted_pet_says_what_the_classic_files_said(tmp_path: Path) -> None:
    """Series, acquisition and injection as of `as_pet`; the rescale of the frames is to Bq/ml."""

    def change(dataset: Dataset) -> None:
        as_pet(dataset)
        dataset.SOPClassUID = LegacyConvertedEnhancedPETImageStorage
        del dataset.AttenuationCorrected, dataset.DecayCorrected, dataset.DecayCorrectionDateTime
        dataset.SeriesDate, dataset.SeriesTime = "20200102", "110000"
        shared = dataset.SharedFunctionalGroupsSequence[0]
        shared.UnassignedSharedConvertedAttributesSequence = [
            _item(Units="BQML", CorrectedImage=["DECY", "ATTN"], DecayCorrection="START", AcquisitionTime="110000")
        ]
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            del groups.RealWorldValueMappingSequence

    series = read_enhanced(tmp_path / "a.dcm", change)
    assert series.findings == ()
    assert series.evidence.suv_factor == pytest.approx(2.76337e-4, rel=1e-5)
    expected = (2.0 * PIXELS - 1000 - np.arange(SHAPE[2])) * 2.76337e-4
    assert np.allclose(read_series(series).data, expected, rtol=1e-5)
