"""Dummy values, one for each VR, for attributes that must not be empty.

Source: DICOM PS3.15 Table E.1-1a, action D; PS3.5 Table 6.2-1 for the values of each VR.
"""

from typing import Any

from pydicom import Dataset

from curation.deidentification.policy.codes import coded
from curation.deidentification.policy.value_checks import DUMMY_TEXT

_BY_VR: dict[str, Any] = {
    "AS": "000Y",
    "AT": 0,
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "DS": "0",
    "IS": "0",
    "UR": "removed:",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), DUMMY_TEXT),
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV"), 0),
    **dict.fromkeys(("FL", "FD"), 0.0),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), bytes(8)),
}

_MADE_UP_CODE = ("99MASKLOOP", "REMOVED", "Removed")


def dummy(value_representation: str) -> Any:
    """A value of this VR that is not empty and always the same; for SQ one item that says it was removed.

    UIDs have none: they are mapped (`pseudonymous.mapped_uid`).
    """
    if value_representation == "SQ":
        return [_made_up_item()]
    return _BY_VR[value_representation]


def _made_up_item() -> Dataset:
    return coded(*_MADE_UP_CODE)
