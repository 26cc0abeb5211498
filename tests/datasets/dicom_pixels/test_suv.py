"""SUVbw from three manufacturers' headers: within 0.1 % of values by hand, or refused by the attribute's name."""

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset

from datasets.dicom.pet_header import PetFacts, pet_facts
from datasets.dicom_pixels.suv import SuvScale, suv_scale
from datasets.errors import RejectedInput

HAND = 0.001
"""Largest relative difference from the values computed by hand."""

Change = Callable[[Dataset], Any]


def siemens() -> Dataset:
    """A Biograph's header: activity at the start of the scan, which is the series' time.

    Injected 08:30:45, series 09:32:27.5: 3702.5 s, that is 3702.5 / 6586.2 = 0.562160 half-lives of F-18.
    374e6 Bq x 2^-0.562160 = 374e6 x 0.677287 = 253.305e6 Bq left; 73 kg are 73000 g.
    SUV of 1 Bq/ml: 73000 / 253.305e6 = 2.88190e-4.
    """
    dataset = Dataset()
    dataset.Manufacturer, dataset.Units, dataset.DecayCorrection = "SIEMENS", "BQML", "START"
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    dataset.SeriesDate, dataset.SeriesTime = "20140618", "093227.500000"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20140618", "093227.500000"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = "89929.7", "180000"
    dataset.PatientWeight = "73"
    isotope = Dataset()
    isotope.RadiopharmaceuticalStartTime, isotope.RadionuclideTotalDose = "083045.000000", "374000000"
    isotope.RadionuclideHalfLife, isotope.RadiopharmaceuticalStartDateTime = "6586.2", "20140618083045.000000"
    dataset.RadiopharmaceuticalInformationSequence = [isotope]
    return dataset


SIEMENS = 2.88190e-4


def ge() -> Dataset:
    """A Discovery's header of a series that was made again the next day: its own element has the scan's time.

    Injected 10:05:00 without a date, scanned 11:20:15: 4515 s / 6588 s = 0.685337 half-lives; 555e6 x 2^-0.685337 =
    555e6 x 0.621859 = 345.132e6 Bq; 99 kg. SUV of 1 Bq/ml: 99000 / 345.132e6 = 2.86847e-4.
    """
    dataset = Dataset()
    dataset.Manufacturer, dataset.Units, dataset.DecayCorrection = "GE MEDICAL SYSTEMS", "BQML", "START"
    dataset.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "DCAL", "SLSENS", "NORM"]
    dataset.SeriesDate, dataset.SeriesTime = "20060129", "080000"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20060128", "112415"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = "0.0", "240000"
    dataset.PatientWeight = "99.0"
    isotope = Dataset()
    isotope.RadiopharmaceuticalStartTime, isotope.RadionuclideTotalDose = "100500.00", "555000000.0"
    isotope.RadionuclideHalfLife = "6588.0"
    dataset.RadiopharmaceuticalInformationSequence = [isotope]
    block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20060128112015.00")
    return dataset


GE = 2.86847e-4


def philips() -> Dataset:
    """A Gemini's header: counts, with its own factors to SUV and to Bq/ml.

    By the second one: injected 13:00:00, scanned 14:00:00: 3600 s / 6586.2 s = 0.546597 half-lives;
    400e6 x 2^-0.546597 = 400e6 x 0.684633 = 273.853e6 Bq; 80 kg.
    One count is 1.25 Bq/ml: 1.25 x 80000 / 273.853e6 = 3.65160e-4.
    """
    dataset = Dataset()
    dataset.Manufacturer, dataset.Units, dataset.DecayCorrection = "Philips Medical Systems", "CNTS", "START"
    dataset.CorrectedImage = ["DECY", "RADL", "ATTN", "SCAT", "DTIM", "RANSNG", "NORM"]
    dataset.SeriesDate = dataset.AcquisitionDate = "20100302"
    dataset.SeriesTime, dataset.AcquisitionTime = "140000", "140412"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = "318000", "144000"
    dataset.PatientWeight = "80"
    isotope = Dataset()
    isotope.RadiopharmaceuticalStartTime, isotope.RadionuclideTotalDose = "130000.00", "400000000"
    isotope.RadionuclideHalfLife = "6586.2"
    dataset.RadiopharmaceuticalInformationSequence = [isotope]
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.000372651")
    block.add_new(0x09, "DS", "1.25")
    return dataset


def _facts(dataset: Dataset) -> PetFacts:
    return pet_facts(dataset, dataset)


def _scale(*datasets: Dataset) -> SuvScale:
    return suv_scale([_facts(dataset) for dataset in datasets], what="series ab12")


def _isotope(dataset: Dataset) -> Dataset:
    item: Dataset = dataset.RadiopharmaceuticalInformationSequence[0]
    return item


def _changed(dataset: Dataset, **fields: Any) -> Dataset:
    """With fields of the header or its radiopharmaceutical set, or deleted where None."""
    for keyword, value in fields.items():
        is_outer = keyword in dataset or keyword not in _isotope(dataset)
        holder = dataset if is_outer and not keyword.startswith("Radio") else _isotope(dataset)
        if value is None:
            delattr(holder, keyword)
        else:
            setattr(holder, keyword, value)
    return dataset


def _private(dataset: Dataset, **values: str | None) -> Dataset:
    block = dataset.private_block(0x7053, "Philips PET Private Group")
    for name, value in values.items():
        offset = {"suv": 0x00, "activity": 0x09}[name]
        del block[offset]
        if value is not None:
            block.add_new(offset, "DS", value)
    return dataset


def test_siemens_values_are_corrected_to_the_series_time() -> None:
    found = _scale(siemens())
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert (found.source, found.findings) == ("series-time", ())


def test_ge_says_in_its_own_element_when_a_post_processed_series_was_scanned() -> None:
    found = _scale(ge())
    assert found.factor == pytest.approx(GE, rel=HAND)
    assert found.source == "ge-scan-time"


def test_ge_series_as_the_scanner_made_it_goes_by_its_series_time() -> None:
    found = _scale(_changed(ge(), SeriesDate="20060128", SeriesTime="112015"))
    assert found.factor == pytest.approx(GE, rel=HAND)
    assert found.source == "series-time"


def test_philips_has_its_own_factor() -> None:
    found = _scale(philips())
    assert (found.factor, found.source) == (0.000372651, "philips-suv-factor")


@pytest.mark.parametrize("missing", [None, "0", "0.0"])
def test_philips_without_it_has_a_factor_to_activity(missing: str | None) -> None:
    found = _scale(_private(philips(), suv=missing))
    assert found.factor == pytest.approx(3.65160e-4, rel=HAND)
    assert found.source == "philips-activity-factor+series-time"


def test_private_elements_of_unknown_representation_are_read() -> None:
    dataset = philips()
    dataset[0x70531000].VR = "UN"
    dataset[0x70531000].value = b"0.000372651 "
    assert _scale(dataset).factor == 0.000372651


@pytest.mark.parametrize("suv_type", ["", "BW"])
def test_suv_is_taken_as_it_is(suv_type: str) -> None:
    dataset = Dataset()
    dataset.Units, dataset.SUVType = "GML", suv_type
    assert _scale(dataset) == SuvScale(1.0, "units")


def test_values_corrected_to_the_injection_need_no_times() -> None:
    """73000 g / 374e6 Bq = 1.95187e-4."""
    dataset = _changed(siemens(), DecayCorrection="ADMIN", SeriesTime=None, RadiopharmaceuticalStartTime=None)
    found = _scale(_changed(dataset, RadiopharmaceuticalStartDateTime=None, RadionuclideHalfLife=None))
    assert found.factor == pytest.approx(1.95187e-4, rel=HAND)
    assert found.source == "administration"


def test_siemens_post_processed_goes_by_the_times_of_its_frames() -> None:
    """Series made at 15:00; frames of 180 s from 09:32:27.5 and 09:35:27.5, 89.9 s and 269.9 s after the scan's start.

    Within a frame the time of the average count rate is T/2 - lambda T^2 / 24 = 90 - 0.142 = 89.858 s, so that the scan
    began at 09:32:27.5.
    """
    first = _changed(siemens(), SeriesTime="150000", FrameReferenceTime="89858")
    second = _changed(siemens(), SeriesTime="150000", FrameReferenceTime="269858", AcquisitionTime="093527.5")
    found = _scale(first, second)
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.source == "frame-reference-time"


def test_frames_that_disagree_on_the_start_are_refused() -> None:
    first = _changed(siemens(), SeriesTime="150000", FrameReferenceTime="180000")
    second = _changed(siemens(), SeriesTime="150000", FrameReferenceTime="30000", AcquisitionTime="093527.5")
    assert _code(first, second) == "pet-scan-time"


@pytest.mark.parametrize(
    ("started", "fields"),
    [
        ("233045", {}),
        ("233045", {"RadiopharmaceuticalStartDateTime": "20140617233045"}),
    ],
)
def test_an_injection_before_midnight_is_of_the_day_before(started: str, fields: dict[str, str]) -> None:
    """23:30:45 to 00:32:27.5 of the next day are 3702.5 s as well."""
    dataset = _changed(siemens(), SeriesTime="003227.5", AcquisitionTime="003227.5")
    dataset = _changed(dataset, RadiopharmaceuticalStartTime=started, RadiopharmaceuticalStartDateTime=None)
    found = _scale(_changed(dataset, **fields))
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.findings == ()


def test_a_scan_across_midnight_keeps_its_start() -> None:
    fields = {"SeriesTime": "235959", "AcquisitionDate": "20140619", "AcquisitionTime": "000159"}
    dataset = _changed(siemens(), **fields, RadiopharmaceuticalStartTime="225816.5")
    found = _scale(_changed(dataset, RadiopharmaceuticalStartDateTime=None))
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.source == "series-time"


@pytest.mark.parametrize("value", ["20091224083045", "20140619083045"])
def test_dates_shifted_apart_leave_the_times_of_day_and_a_warning(value: str) -> None:
    found = _scale(_changed(siemens(), RadiopharmaceuticalStartDateTime=value))
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert [finding.code for finding in found.findings] == ["pet-dates-differ"]


def test_times_without_dates_are_enough() -> None:
    dataset = _changed(siemens(), SeriesDate=None, AcquisitionDate="", RadiopharmaceuticalStartDateTime=None)
    found = _scale(dataset)
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.findings == ()


def test_a_start_in_another_time_zone_is_brought_onto_the_clock_of_the_series() -> None:
    dataset = _changed(siemens(), RadiopharmaceuticalStartDateTime="20140618063045+0000")
    dataset.TimezoneOffsetFromUTC = "+0200"
    assert _scale(dataset).factor == pytest.approx(SIEMENS, rel=HAND)


def test_a_slow_nuclide_is_scanned_days_later() -> None:
    """Zr-89, 282240 s; 3 days before the scan at 09:32:27.5 of the 18th, from 09:32:27.5 of the 15th: 259200 s.

    37e6 x 2^-(259200 / 282240 = 0.918367) = 37e6 x 0.529108 = 19.5770e6 Bq; 73000 / 19.5770e6 = 3.72886e-3.
    """
    dataset = _changed(siemens(), RadionuclideHalfLife="282240", RadionuclideTotalDose="37000000")
    dataset = _changed(dataset, RadiopharmaceuticalStartTime="093227.5")
    dataset = _changed(dataset, RadiopharmaceuticalStartDateTime="20140615093227.5")
    assert _scale(dataset).factor == pytest.approx(3.72886e-3, rel=HAND)
    assert _code(_changed(dataset, RadiopharmaceuticalStartDateTime=None)) == "pet-injection-time"


def test_an_enhanced_object_says_to_which_time_it_is_corrected() -> None:
    dataset = _changed(siemens(), DecayCorrection=None, SeriesTime="150000")
    dataset.DecayCorrectionDateTime = "20140618093227.5"
    found = _scale(dataset)
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.source == "decay-correction-time"


@pytest.mark.parametrize("empty", [None, "", "0"])
@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("PatientWeight", "Patient's Weight (0010,1030)"),
        ("RadionuclideTotalDose", "Radionuclide Total Dose (0018,1074)"),
        ("RadionuclideHalfLife", "Radionuclide Half Life (0018,1075)"),
    ],
)
def test_numbers_that_are_missing_or_zero_are_named(keyword: str, name: str, empty: str | None) -> None:
    refusal = _refusal(_changed(siemens(), **{keyword: empty}))
    assert refusal.code == "pet-header-incomplete"
    assert name in refusal.message
    assert "NIfTI" in refusal.remedy


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("Units", "Units (0054,1001)"),
        ("CorrectedImage", "Corrected Image (0028,0051)"),
        ("DecayCorrection", "Decay Correction (0054,1102)"),
        ("SeriesTime", "Series Time (0008,0031)"),
        ("AcquisitionTime", "Acquisition Time (0008,0032)"),
        ("RadiopharmaceuticalInformationSequence", "Radiopharmaceutical Information Sequence (0054,0016)"),
    ],
)
def test_fields_that_are_missing_are_named(keyword: str, name: str) -> None:
    dataset = siemens()
    delattr(dataset, keyword)
    refusal = _refusal(dataset)
    assert refusal.code == "pet-header-incomplete"
    assert name in refusal.message


def test_no_time_of_injection_is_named() -> None:
    dataset = _changed(siemens(), RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime=None)
    assert "Radiopharmaceutical Start DateTime (0018,1078) or Time (0018,1072)" in _refusal(dataset).message


@pytest.mark.parametrize("value", ["000000", "00:00:00.00", "08", "noon"])
@pytest.mark.parametrize("keyword", ["RadiopharmaceuticalStartTime", "SeriesTime", "AcquisitionTime"])
def test_a_time_that_is_zero_or_none_is_named(keyword: str, value: str) -> None:
    """A removed time is often written as midnight: 9.5 h of decay would make the SUV 36 times as large."""
    dataset = _changed(siemens(), RadiopharmaceuticalStartDateTime=None, **{keyword: value})
    refusal = _refusal(dataset)
    assert refusal.code == "pet-header-incomplete"
    assert "Time" in refusal.message


def test_a_start_date_without_a_time_takes_that_of_the_start_time() -> None:
    found = _scale(_changed(siemens(), RadiopharmaceuticalStartDateTime="20140618"))
    assert found.factor == pytest.approx(SIEMENS, rel=HAND)
    assert found.findings == ()


def test_all_that_is_missing_is_named_at_once() -> None:
    message = _refusal(_changed(siemens(), PatientWeight=None, RadionuclideTotalDose="0")).message
    assert "Patient's Weight" in message
    assert "Radionuclide Total Dose" in message


def test_philips_without_any_factor_is_refused_by_its_names() -> None:
    refusal = _refusal(_private(philips(), suv="0", activity=None))
    assert refusal.code == "pet-header-incomplete"
    assert "(7053,xx00)" in refusal.message


def _two_tracers(dataset: Dataset) -> Dataset:
    dataset.RadiopharmaceuticalInformationSequence.append(Dataset())
    return dataset


@pytest.mark.parametrize(
    ("code", "dataset"),
    [
        ("pet-units", lambda: _changed(siemens(), Units="PROPCPS")),
        ("pet-suv-type", lambda: _changed(siemens(), Units="GML", SUVType="LBM")),
        ("pet-not-attenuation-corrected", lambda: _changed(siemens(), CorrectedImage=["DECY", "NORM"])),
        ("pet-not-attenuation-corrected", lambda: _changed(philips(), CorrectedImage=["DECY", "NORM"])),
        ("pet-not-decay-corrected", lambda: _changed(siemens(), DecayCorrection="NONE")),
        ("pet-not-decay-corrected", lambda: _changed(siemens(), CorrectedImage=["ATTN", "NORM"])),
        ("pet-several-tracers", lambda: _two_tracers(siemens())),
        ("pet-implausible", lambda: _changed(siemens(), RadionuclideTotalDose="374")),
        ("pet-implausible", lambda: _changed(siemens(), PatientWeight="73000")),
        ("pet-scan-time", lambda: _changed(siemens(), SeriesTime="150000", FrameReferenceTime="0")),
        ("pet-start-times-differ", lambda: _changed(siemens(), RadiopharmaceuticalStartTime="080000")),
        ("pet-injection-time", lambda: _changed(siemens(), SeriesTime="080000", AcquisitionTime="080000")),
        ("pet-times-removed", lambda: _changed(siemens(), LongitudinalTemporalInformationModified="REMOVED")),
    ],
)
def test_what_cannot_become_suv_is_refused(code: str, dataset: Callable[[], Dataset]) -> None:
    assert _code(dataset()) == code


def test_slices_of_two_doses_are_refused() -> None:
    assert _code(siemens(), _changed(siemens(), RadionuclideTotalDose="200000000")) == "pet-headers-differ"


def test_refusals_say_nothing_of_the_patient() -> None:
    refusal = _refusal(_changed(siemens(), DecayCorrection="NONE"))
    assert not {"374000000", "73", "083045"} & set(refusal.message.replace(",", " ").split())
    assert "374000000" not in repr(_facts(siemens()))
    assert "2014" not in repr(_facts(siemens()))


def _refusal(*datasets: Dataset) -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        _scale(*datasets)
    return caught.value


def _code(*datasets: Dataset) -> str:
    return _refusal(*datasets).code
