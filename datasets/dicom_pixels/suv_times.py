"""When a PET was injected and scanned: the time that its activity has decayed for.

The time to which values are corrected is the series' where that is not after the acquisition; a series that was made
later from another one says it elsewhere: GE in an element of its own, Siemens by the times of its frames. A time of
exactly midnight is taken for none: it is what programs write where they removed one.

Source: as of `datasets.dicom_pixels.suv`; DICOM PS3.3 C.8.9.4.1.5 (Frame Reference Time, the average count rate).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from datasets.dicom.pet_header import Moment, PetFacts
from datasets.dicom_pixels.pet_refusals import KEEP, require
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

START = "Radiopharmaceutical Start DateTime (0018,1078) or Time (0018,1072)"
SERIES_TIME = "Series Time (0008,0031)"
ACQUISITION_TIME = "Acquisition Time (0008,0032)"


def scan_time(slices: Sequence[PetFacts], what: str) -> tuple[float, str]:
    """The time to which the values are corrected, in seconds on one clock, and how it was found.

    Args:
        slices: Facts of every slice, at least one.
        what: How a refusal calls the series.

    Raises:
        RejectedInput: ``pet-times-removed``, ``pet-header-incomplete`` or ``pet-scan-time``.
    """
    facts = slices[0]
    if facts.times_kept == "REMOVED":
        raise RejectedInput(
            "pet-times-removed",
            f"The values of {what} are corrected to the time of the scan, and de-identification has removed its times "
            "(Longitudinal Temporal Information Modified (0028,0303)).",
            remedy=KEEP,
        )
    if facts.decay_corrected_to.seconds:
        return _absolute(facts.decay_corrected_to, facts), "decay-correction-time"
    require(
        {
            SERIES_TIME: facts.series.seconds,
            ACQUISITION_TIME: all(one.acquired.seconds for one in slices),
        },
        what,
    )
    first = min(_absolute(one.acquired, facts) for one in slices) + _CLOCK_ROUNDING_S
    if (series := _absolute(facts.series, facts)) <= first:
        return series, "series-time"
    if facts.ge_scan.seconds and (scan := _absolute(facts.ge_scan, facts)) <= first:
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
        remedy="Choose the series that the scanner made first. " + KEEP,
    )


def _start_by_frame(one: PetFacts, facts: PetFacts) -> float | None:
    """The start of the scan by one frame: its values stand for the time of its average count rate."""
    reference, duration = one.frame_reference_s or 0.0, one.frame_duration_s or 0.0
    if reference <= 0.0 or duration <= 0.0 or not facts.half_life_s:
        return None
    decay = math.log(2.0) / facts.half_life_s
    within = math.log(decay * duration / -math.expm1(-decay * duration)) / decay
    return _absolute(one.acquired, facts) + within - reference


def decay_time(facts: PetFacts, scan: float, what: str) -> tuple[float, tuple[Finding, ...]]:
    """Seconds from injection to scan; dates that do not fit together are left out where times of day suffice.

    Args:
        facts: Of the series.
        scan: From `scan_time`.
        what: How a refusal calls the series.

    Returns:
        The seconds, and a warning where the dates were left out.

    Raises:
        RejectedInput: ``pet-header-incomplete``, ``pet-start-times-differ`` or ``pet-injection-time``.
    """
    clock = facts.injected_time.seconds
    injected = replace(facts.injected, seconds=facts.injected.seconds or clock)
    require({START: injected.seconds}, what)
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
