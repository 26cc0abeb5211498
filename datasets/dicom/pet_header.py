"""What a PET's header says about how its values become SUV: facts, from which `datasets.dicom_pixels.suv` calculates.

Weight, dose and times belong to one patient: they are used for the calculation and never stored or shown.

Source: DICOM PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope), C.8.9.4 (PET Image), C.8.22 (Enhanced PET); conformance
statements of GE (GEMS_PETD_01) and Philips (Philips PET Private Group) for their private elements.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pydicom import Dataset

from datasets.dicom.file import number, text, texts, values

PET_KEYWORDS = [
    "PatientWeight", "SUVType", "DecayCorrection", "DecayCorrectionDateTime", "RadiopharmaceuticalInformationSequence",
    "FrameReferenceTime", "ActualFrameDuration", "LongitudinalTemporalInformationModified", "TimezoneOffsetFromUTC",
]  # fmt: skip
"""Fields beyond those of `datasets.dicom.series_facts`."""

_GE, _PHILIPS = (0x0009, "GEMS_PETD_01"), (0x7053, "Philips PET Private Group")
_SCAN_DATETIME, _SUV_FACTOR, _ACTIVITY_FACTOR = 0x0D, 0x00, 0x09

_TIME = re.compile(r"(\d\d):?(\d\d):?(\d\d(?:\.\d*)?)?")
"""An hour alone is no time: half of an hour more or less is a fifth of the SUV."""
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d*)?)?([+-]\d{4})?")


@dataclass(frozen=True)
class Moment:
    """A day and a time of day, either of which a header may lack. Never to be shown.

    Args:
        day: The date.
        seconds: Since midnight.
    """

    day: date | None = field(default=None, repr=False)
    seconds: float | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PetFacts:
    """One slice's facts for SUV; None, empty or an empty `Moment` where the header does not say. Never to be shown.

    Args:
        units: As stored: ``BQML``, ``GML``, ``CNTS``.
        suv_type: Of values that are SUV: ``BW``, ``LBM``, ``BSA``.
        corrected: Corrections that were made, ``ATTN`` and ``DECY`` among them.
        decay_correction: To which time: ``START``, ``ADMIN`` or ``NONE``.
        decay_corrected_to: That time itself, of an enhanced object.
        weight_kg: The patient's.
        radiopharmaceuticals: How many the header describes; the next four are the first one's.
        dose_bq: That was injected.
        half_life_s: Of the nuclide.
        injected: Date and time of the injection.
        injected_time: Time of the injection without a date.
        series: When the series began, or was made from another one.
        acquired: When this slice's frame began.
        ge_scan: When the scan began, by GE's own element.
        frame_reference_s: From the start of the scan to the time that the values stand for.
        frame_duration_s: How long the slice was acquired.
        philips_suv: Philips' factor from counts to SUV.
        philips_activity: Philips' factor from counts to Bq/ml.
        times_kept: ``UNMODIFIED``, ``MODIFIED`` or ``REMOVED``, as de-identification wrote it.
    """

    units: str = ""
    suv_type: str = ""
    corrected: tuple[str, ...] = ()
    decay_correction: str = ""
    decay_corrected_to: Moment = field(default=Moment(), repr=False)
    weight_kg: float | None = field(default=None, repr=False)
    radiopharmaceuticals: int = 0
    dose_bq: float | None = field(default=None, repr=False)
    half_life_s: float | None = field(default=None, repr=False)
    injected: Moment = field(default=Moment(), repr=False)
    injected_time: Moment = field(default=Moment(), repr=False)
    series: Moment = field(default=Moment(), repr=False)
    acquired: Moment = field(default=Moment(), repr=False)
    ge_scan: Moment = field(default=Moment(), repr=False)
    frame_reference_s: float | None = None
    frame_duration_s: float | None = None
    philips_suv: float | None = field(default=None, repr=False)
    philips_activity: float | None = field(default=None, repr=False)
    times_kept: str = ""


def pet_facts(dataset: Dataset, private: Dataset) -> PetFacts:
    """The facts in one header.

    Args:
        dataset: The header, or a frame's flat one.
        private: The header with its private elements; empty for none.
    """
    isotopes = values(dataset, "RadiopharmaceuticalInformationSequence")
    isotope = isotopes[0] if isotopes else Dataset()
    zone = text(dataset, "TimezoneOffsetFromUTC")
    acquired = moment(text(dataset, "AcquisitionDate"), text(dataset, "AcquisitionTime"))
    if acquired.seconds is None:
        acquired = date_time(text(dataset, "AcquisitionDateTime"), zone=zone)
    return PetFacts(
        units=text(dataset, "Units"),
        suv_type=text(dataset, "SUVType"),
        corrected=texts(dataset, "CorrectedImage"),
        decay_correction=text(dataset, "DecayCorrection"),
        decay_corrected_to=date_time(text(dataset, "DecayCorrectionDateTime"), zone=zone),
        weight_kg=number(dataset, "PatientWeight"),
        radiopharmaceuticals=len(isotopes),
        dose_bq=number(isotope, "RadionuclideTotalDose"),
        half_life_s=number(isotope, "RadionuclideHalfLife"),
        injected=date_time(text(isotope, "RadiopharmaceuticalStartDateTime"), zone=zone),
        injected_time=moment("", text(isotope, "RadiopharmaceuticalStartTime")),
        series=moment(text(dataset, "SeriesDate"), text(dataset, "SeriesTime")),
        acquired=acquired,
        ge_scan=date_time(_private(private, _GE, _SCAN_DATETIME), zone=zone),
        frame_reference_s=_seconds(number(dataset, "FrameReferenceTime")),
        frame_duration_s=_seconds(number(dataset, "ActualFrameDuration")),
        philips_suv=_private_number(private, _PHILIPS, _SUV_FACTOR),
        philips_activity=_private_number(private, _PHILIPS, _ACTIVITY_FACTOR),
        times_kept=text(dataset, "LongitudinalTemporalInformationModified"),
    )


def moment(day: str, time: str) -> Moment:
    """DICOM's date and time, fractions of seconds among it; what cannot be read is absent."""
    return Moment(_day(day), _seconds_of_day(time))


def date_time(value: str, *, zone: str) -> Moment:
    """DICOM's date-time on the clock of the other times; what cannot be read is absent.

    Args:
        value: The element's text, which may end in its own offset from UTC.
        zone: The object's offset from UTC; empty where it names none, and then an offset in the value is left out.
    """
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return Moment()
    found = moment(match[1], match[2] or "")
    own, ours = _offset(match[3] or ""), _offset(zone)
    if found.day is None or found.seconds is None or own is None or ours is None or own == ours:
        return found
    there = datetime.combine(found.day, datetime.min.time()) + timedelta(seconds=found.seconds + ours - own)
    midnight = datetime.combine(there.date(), datetime.min.time())
    return Moment(there.date(), (there - midnight).total_seconds())


def _day(value: str) -> date | None:
    try:
        return datetime.strptime(value.replace(".", "")[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _seconds_of_day(value: str) -> float | None:
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3] or 0)
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 61 else None


def _offset(value: str) -> float | None:
    """Seconds from UTC of ``+0130``; None where it is none."""
    if not re.fullmatch(r"[+-]\d{4}", value):
        return None
    return (1 if value[0] == "+" else -1) * (int(value[1:3]) * 3600.0 + int(value[3:]) * 60.0)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


def _private(dataset: Dataset, block: tuple[int, str], offset: int) -> str:
    """A private element as text, whatever its file calls it; empty where absent."""
    try:
        value = dataset.private_block(*block)[offset].value
    except Exception:  # absent, or not to be parsed
        return ""
    said = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return said.strip(" \0")


def _private_number(dataset: Dataset, block: tuple[int, str], offset: int) -> float | None:
    said = _private(dataset, block, offset)
    try:
        return float(said)
    except ValueError:
        return None
