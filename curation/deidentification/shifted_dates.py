"""Moving DICOM dates by whole days. Times of day stay; a value that is no whole date cannot be moved.

Days are counted in the calendar, so daylight saving and leap years need no care: 29 February plus 365 days is
28 February. A date-time loses its offset from UTC, which tells the country and the season.

Source: DICOM PS3.5, Table 6.2-1 (DA, DT, TM).
"""

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?")
_OFFSET = re.compile(r"[+-]\d{4}$")


def shifted(value: str, value_representation: str, days: int) -> str | None:
    """The value `days` later (earlier where negative), in the form of its kind.

    Args:
        value: One value of the attribute.
        value_representation: ``DA``, ``DT`` or ``TM``.
        days: How far to move.

    Returns:
        The moved value; None where it is malformed, only a year or a month, a range, or falls out of the calendar.
    """
    text = value.strip(" \0")
    if value_representation == "TM":
        return text if _is_time(text) else None
    if value_representation == "DA":
        return _shifted_date(text, days)
    local = _OFFSET.sub("", text)
    moved, time = _shifted_date(local[:8], days), local[8:]
    return moved + time if moved and (not time or _is_time(time)) else None


def _shifted_date(text: str, days: int) -> str | None:
    match = _DATE.fullmatch(text)
    try:
        moved = date(*map(int, match.groups())) + timedelta(days=days) if match else None
    except (ValueError, OverflowError):
        return None
    return None if moved is None else f"{moved:%Y%m%d}".zfill(8)


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None
