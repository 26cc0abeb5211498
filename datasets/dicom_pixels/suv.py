"""From a PET's stored units to SUVbw: activity per gram of the patient, over the dose that is left when it is scanned.

    SUVbw = value x weight in g / (dose x 2^(-decay time / half-life))

The factor is one for a series; each slice's own rescale comes before it. What cannot be calculated is refused with the
names of the attributes that are missing, never given as Bq/ml.

A time of exactly midnight is taken for none: it is what programs write where they removed one.

The time to which values are corrected is the series' where that is not after the acquisition; a series that was made
later from another one says it elsewhere: GE in an element of its own, Siemens by the times of its frames.

Source: QIBA Profile FDG-PET/CT as an Imaging Biomarker, appendix on vendor-neutral pseudo-code for SUV; DICOM
PS3.3 C.8.9.1.1.6 (Decay Correction), C.8.9.4.1.5 (Frame Reference Time, and the time of the average count rate).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from datasets.dicom.pet_header import Moment, PetFacts
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

_DAY_S = 86400.0
_ANY_DAY = date(2000, 1, 1)
_CLOCK_ROUNDING_S = 1.0
"""Some scanners write one time in whole seconds and the other with fractions."""
_AGREEING_S = 2.0
"""Frames whose reference times give the start of the scan within this agree: 0.02 % for fluorine-18."""
_SAME_START_S = 60.0
"""Start time and start date-time that differ by more contradict each other."""
_MOST_HALF_LIVES = 5.0
"""Nobody scans later: 3 % of the dose is left. A larger decay time is a wrong date or time."""
_ONE_DAY_HALF_LIFE_S = 4 * 3600.0
"""A nuclide of a longer half-life is scanned days after the injection as well, so that times of day do not suffice."""
_PLAUSIBLE_DOSE_BQ = (1e5, 1e11)
_PLAUSIBLE_WEIGHT_KG = (0.01, 700.0)

UNITS = "Units (0054,1001)"
CORRECTED = "Corrected Image (0028,0051)"
DECAY_CORRECTION = "Decay Correction (0054,1102)"
WEIGHT = "Patient's Weight (0010,1030)"
ISOTOPE = "Radiopharmaceutical Information Sequence (0054,0016)"
DOSE = "Radionuclide Total Dose (0018,1074)"
HALF_LIFE = "Radionuclide Half Life (0018,1075)"
START = "Radiopharmaceutical Start DateTime (0018,1078) or Time (0018,1072)"
SERIES_TIME = "Series Time (0008,0031)"
ACQUISITION_TIME = "Acquisition Time (0008,0032)"
PHILIPS = "Philips' SUV Factor (7053,xx00) or Activity Concentration Factor (7053,xx09)"

_KEEP = (
    "Export the series again with its whole header, or give the image in SUV as NIfTI. Whoever de-identifies it keeps "
    "patient characteristics and safe private elements, and shifts dates instead of removing them."
)
_ANOTHER = "Choose another series of the examination, or give the image in SUV as NIfTI."


@dataclass(frozen=True)
class SuvScale:
    """What makes a series' rescaled values SUVbw.

    Args:
        factor: They are multiplied by it.
        source: How it was found: ``units`` (they are SUV already), ``philips-suv-factor``, ``administration``
            (values are corrected to the injection), ``series-time``, ``ge-scan-time``, ``frame-reference-time``,
            ``decay-correction-time``; before the last five, ``philips-activity-factor`` and a plus where counts were
            made Bq/ml by it.
        findings: Warnings.
    """

    factor: float
    source: str
    findings: tuple[Finding, ...] = ()


def suv_scale(slices: Sequence[PetFacts], *, what: str) -> SuvScale:
    """The factor of a series.

    Args:
        slices: Facts of every slice, at least one.
        what: How a refusal calls the series.

    Raises:
        RejectedInput: ``pet-header-incomplete`` (the message names the attributes that are missing, empty or zero),
            ``pet-headers-differ``, ``pet-units``, ``pet-suv-type``, ``pet-not-attenuation-corrected``,
            ``pet-not-decay-corrected``, ``pet-several-tracers``, ``pet-implausible``, ``pet-scan-time``,
            ``pet-start-times-differ``, ``pet-injection-time`` or ``pet-times-removed``.
    """
    facts = slices[0]
    if any(_of_series(one) != _of_series(facts) for one in slices):
        message = f"The slices of {what} differ in what makes values SUV: weight, dose, units or times."
        raise RejectedInput("pet-headers-differ", message, remedy="Export each acquisition as its own series.")
    if facts.units == "GML":
        return _of_suv(facts, what)
    if facts.units == "BQML":
        return _of_activity(slices, what)
    if facts.units == "CNTS":
        return _of_counts(slices, what)
    _require({UNITS: facts.units}, what)
    raise RejectedInput(
        "pet-units",
        f"Expected values of {what} in BQML, GML or CNTS, got other units ({UNITS}).",
        remedy=_ANOTHER,
    )


def _of_series(facts: PetFacts) -> PetFacts:
    """The facts that all slices share."""
    return replace(facts, acquired=Moment(), frame_reference_s=None, frame_duration_s=None)


def _of_suv(facts: PetFacts, what: str) -> SuvScale:
    """Values are SUV; by body weight where the type is not said (DICOM PS3.3 C.8.9.1.1.3)."""
    if facts.suv_type not in ("", "BW"):
        message = f"The values of {what} are SUV by something else than body weight (SUV Type (0054,1006))."
        raise RejectedInput("pet-suv-type", message, remedy=_ANOTHER)
    return SuvScale(1.0, "units")


def _of_counts(slices: Sequence[PetFacts], what: str) -> SuvScale:
    facts = slices[0]
    if (facts.philips_suv or 0.0) > 0.0:
        _require({CORRECTED: facts.corrected}, what)
        _require_attenuation(facts, what)
        return SuvScale(facts.philips_suv or 0.0, "philips-suv-factor")
    activity = facts.philips_activity or 0.0
    if activity <= 0.0:
        _require({PHILIPS: None}, what)
    found = _of_activity(slices, what)
    return replace(found, factor=found.factor * activity, source=f"philips-activity-factor+{found.source}")


def _of_activity(slices: Sequence[PetFacts], what: str) -> SuvScale:
    facts = slices[0]
    to_time = facts.decay_corrected_to.seconds is not None
    is_at_injection = facts.decay_correction == "ADMIN"
    _require(
        {
            CORRECTED: facts.corrected,
            DECAY_CORRECTION: facts.decay_correction or to_time,
            WEIGHT: facts.weight_kg,
            ISOTOPE: facts.radiopharmaceuticals,
            DOSE: facts.dose_bq if facts.radiopharmaceuticals else True,
            HALF_LIFE: facts.half_life_s if facts.radiopharmaceuticals and not is_at_injection else True,
        },
        what,
    )
    _require_attenuation(facts, what)
    if "DECY" not in facts.corrected or facts.decay_correction not in ("", "START", "ADMIN"):
        message = f"The values of {what} are not corrected for decay, or to no known time ({DECAY_CORRECTION})."
        raise RejectedInput("pet-not-decay-corrected", message, remedy=_ANOTHER)
    if facts.radiopharmaceuticals > 1:
        message = f"The header of {what} describes {facts.radiopharmaceuticals} radiopharmaceuticals ({ISOTOPE})."
        raise RejectedInput("pet-several-tracers", message, remedy=_ANOTHER)
    _require_plausible(facts, what)
    whole = (facts.weight_kg or 0.0) * 1000.0 / (facts.dose_bq or 1.0)
    if is_at_injection:
        return SuvScale(whole, "administration")
    scan, source = _scan_time(slices, what)
    decay, findings = _decay_time(facts, scan, what)
    return SuvScale(whole * 2.0 ** (decay / (facts.half_life_s or 1.0)), source, findings)


def _scan_time(slices: Sequence[PetFacts], what: str) -> tuple[float, str]:
    """The time to which the values are corrected, in seconds, and how it was found."""
    facts = slices[0]
    if facts.times_kept == "REMOVED":
        raise RejectedInput(
            "pet-times-removed",
            f"The values of {what} are corrected to the time of the scan, and de-identification has removed its times "
            "(Longitudinal Temporal Information Modified (0028,0303)).",
            remedy=_KEEP,
        )
    if facts.decay_corrected_to.seconds is not None:
        return _absolute(facts.decay_corrected_to, facts), "decay-correction-time"
    _require(
        {
            SERIES_TIME: facts.series.seconds,
            ACQUISITION_TIME: all(one.acquired.seconds for one in slices),
        },
        what,
    )
    first = min(_absolute(one.acquired, facts) for one in slices) + _CLOCK_ROUNDING_S
    if (series := _absolute(facts.series, facts)) <= first:
        return series, "series-time"
    if facts.ge_scan.seconds is not None and (scan := _absolute(facts.ge_scan, facts)) <= first:
        return scan, "ge-scan-time"
    starts = [_start_by_frame(one, facts) for one in slices]
    known = [start for start in starts if start is not None]
    if len(known) == len(starts) and max(known) - min(known) <= _AGREEING_S and min(known) <= first:
        return min(known), "frame-reference-time"
    raise RejectedInput(
        "pet-scan-time",
        f"{what[0].upper()}{what[1:]} was made after its acquisition ({SERIES_TIME} is later than {ACQUISITION_TIME}), "
        "and neither GE's scan date and time (0009,xx0D) nor Frame Reference Time (0054,1300) with Actual Frame "
        "Duration (0018,1242) says when the scan began.",
        remedy="Choose the series that the scanner made first. " + _KEEP,
    )


def _start_by_frame(one: PetFacts, facts: PetFacts) -> float | None:
    """The start of the scan by one frame: its values stand for the time of its average count rate."""
    reference, duration = one.frame_reference_s or 0.0, one.frame_duration_s or 0.0
    if reference <= 0.0 or duration <= 0.0 or not facts.half_life_s:
        return None
    decay = math.log(2.0) / facts.half_life_s
    within = math.log(decay * duration / -math.expm1(-decay * duration)) / decay
    return _absolute(one.acquired, facts) + within - reference


def _decay_time(facts: PetFacts, scan: float, what: str) -> tuple[float, tuple[Finding, ...]]:
    """Seconds from injection to scan; dates that do not fit together are left out where times of day suffice."""
    clock = facts.injected_time.seconds
    injected = replace(facts.injected, seconds=facts.injected.seconds or clock)
    _require({START: injected.seconds}, what)
    if facts.injected.seconds and clock and _apart(facts.injected.seconds, clock) > _SAME_START_S:
        raise RejectedInput(
            "pet-start-times-differ",
            f"The header of {what} has two different times of injection ({START}).",
            remedy="Find out which is right, and export the series again with that one.",
        )
    half_life = facts.half_life_s or 1.0
    has_days = injected.day is not None and bool(facts.series.day or facts.acquired.day or facts.decay_corrected_to.day)
    if has_days and 0.0 <= (decay := scan - _absolute(injected, facts)) <= _MOST_HALF_LIVES * half_life:
        return decay, ()
    decay = (scan - (injected.seconds or 0.0)) % _DAY_S  # the injection of the same day, or of the evening before
    if half_life > _ONE_DAY_HALF_LIFE_S or decay > _MOST_HALF_LIVES * half_life:
        raise RejectedInput(
            "pet-injection-time",
            f"The injection of {what} ({START}) lies after the scan or too long before it, or its day is not known.",
            remedy="Correct the time or the date, or give the image in SUV as NIfTI.",
        )
    return decay, (_other_dates(what),) if has_days else ()


def _other_dates(what: str) -> Finding:
    return Finding(
        Level.WARNING,
        "pet-dates-differ",
        f"The dates of injection and scan of {what} do not fit together, so their times of day were used.",
        "Nothing, if the patient was scanned within hours of the injection; dates may have been shifted apart.",
    )


def _absolute(when: Moment, facts: PetFacts) -> float:
    """Seconds on one clock; a time without a date is of the series' day, of the acquisition's, or of any one."""
    day = when.day or facts.series.day or facts.acquired.day or _ANY_DAY
    return day.toordinal() * _DAY_S + (when.seconds or 0.0)


def _apart(one: float, other: float) -> float:
    """How far two times of day lie apart, the shorter way round the clock."""
    return min((one - other) % _DAY_S, (other - one) % _DAY_S)


def _require(attributes: dict[str, object], what: str) -> None:
    missing = [name for name, value in attributes.items() if not value or (isinstance(value, float) and value < 0.0)]
    if missing:
        raise RejectedInput(
            "pet-header-incomplete",
            f"The values of {what} cannot become SUV: missing, empty or zero: {', '.join(missing)}.",
            remedy=_KEEP,
        )


def _require_attenuation(facts: PetFacts, what: str) -> None:
    if "ATTN" not in facts.corrected:
        message = f"The values of {what} are not corrected for attenuation ({CORRECTED})."
        raise RejectedInput("pet-not-attenuation-corrected", message, remedy=_ANOTHER)


def _require_plausible(facts: PetFacts, what: str) -> None:
    known = {DOSE: (facts.dose_bq, _PLAUSIBLE_DOSE_BQ, "Bq"), WEIGHT: (facts.weight_kg, _PLAUSIBLE_WEIGHT_KG, "kg")}
    for name, (value, (low, high), unit) in known.items():
        if not low <= (value or 0.0) <= high:
            raise RejectedInput(
                "pet-implausible",
                f"Expected {name} of {what} between {low:g} and {high:g} {unit}; it may be in another unit.",
                remedy="Correct the header, or give the image in SUV as NIfTI.",
            )
