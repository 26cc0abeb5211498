"""A hospital number written where a measurement belongs: a slice location or a series number that is the patient's id.

It looks like any number, so it is recognised only by comparison with the object's own identifiers.
"""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from pydicom import Dataset

from datasets.dicom.file import text

_IDENTIFIERS = ("PatientID", "AccessionNumber", "StudyID", "AdmissionID", "PatientBirthDate")
_FEWEST_DIGITS = 5
_LARGEST = 1e18


def identifying_numbers(dataset: Dataset) -> frozenset[int]:
    """The numbers of five digits or more in identifiers of the patient, the study or the order; of all the digits
    together and of each run of them.
    """
    found = set()
    for keyword in _IDENTIFIERS:
        value = text(dataset, keyword)
        found |= {re.sub(r"[^0-9]", "", value), *re.findall(r"[0-9]+", value)}
    return frozenset(int(digits) for digits in found if len(digits.lstrip("0")) >= _FEWEST_DIGITS)


def hides_identifier(values: Iterable[Any], numbers: frozenset[int]) -> bool:
    """Whether one of the values is such a number, however it is written (``7712390``, ``-7712390.0``)."""
    return bool(numbers) and any(_whole(value) in numbers for value in values)


def _whole(value: Any) -> int | None:
    """The value without its sign, where it is a whole number of as many digits as identifiers have."""
    try:
        number = abs(Decimal(str(getattr(value, "original_string", "") or value).strip(" \0")))
        is_whole = 10 ** (_FEWEST_DIGITS - 1) <= number <= _LARGEST and number == number.to_integral_value()
    except (InvalidOperation, ValueError):
        return None
    return int(number) if is_whole else None
