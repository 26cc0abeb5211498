"""Attributes kept beside the table, because images need them or by an option, with the check of their values."""

from dataclasses import dataclass
from functools import cache

from curation.deidentification.policy.tables import rows_of, tag_number

Check = str


@cache
def kept_attributes() -> dict[int, Check]:
    """Tag to check, for attributes that are always kept. Attributes in neither this list nor the table are removed."""
    return _checks("kept_attributes.csv")


@cache
def patient_characteristics() -> dict[int, Check]:
    """Tag to check, for attributes that the patient characteristics option keeps."""
    return _checks("patient_characteristics.csv")


@dataclass(frozen=True)
class SafePrivate:
    """One private attribute that is known to hold no identity.

    Args:
        group: Group number, odd.
        offset: The last two digits of the element, 0 to 255; the two before them are the block that was reserved.
        creator: Who reserved the block, exactly.
    """

    group: int
    offset: int
    creator: str


@cache
def safe_private() -> dict[SafePrivate, Check]:
    """Private attributes to check, for the safe private option."""
    return {_private(row): row["check"] for row in rows_of("safe_private.csv")}


@cache
def safe_private_moments() -> frozenset[SafePrivate]:
    """Private dates and times that the safe private option keeps where dates are shifted, shifted with them."""
    return frozenset(map(_private, rows_of("safe_private_moments.csv")))


def _private(row: dict[str, str]) -> SafePrivate:
    return SafePrivate(int(row["tag"][1:5], 16), int(row["tag"][8:10], 16), row["creator"])


@cache
def allowed_sop_classes() -> dict[str, str]:
    """UID to name of the SOP classes that may leave."""
    return {row["uid"]: row["name"] for row in rows_of("sop_classes.csv")}


def _checks(name: str) -> dict[int, Check]:
    checks = {}
    for row in rows_of(name):
        number = tag_number(row["tag"])
        if number is not None:
            checks[number] = row["check"]
    return checks
