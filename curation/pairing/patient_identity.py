"""Whether the images under one patient ID are of one patient: two patients merged into one case would harm both."""

import re
from collections.abc import Sequence
from itertools import combinations

from curation.scanning.found_series import FoundSeries
from datasets.dicom.person import Person
from datasets.finding import Finding, Level

_PLACEHOLDER = re.compile(
    r"(?:anon\w*|unknown|unbekannt|none|null|nil|test\d*|patient|pat|id|noid|na|dummy|default|x+|0+|9+|1|12345?6?)?"
)
"""Placeholders of archives and anonymisers for a missing patient ID: many patients share them."""


def identity_problem(series: Sequence[FoundSeries], chosen: Sequence[FoundSeries], who: str) -> Finding | None:
    """Why the series of one patient ID must not be paired; None where nothing speaks against it.

    Args:
        series: All series under the patient ID.
        chosen: The images where a person chose all: they must not contradict each other, the others do not matter.
        who: How reports name the patient.
    """
    concerned = chosen or series
    if any(one.contradicts(other) for one, other in combinations(_persons(concerned), 2)):
        return _refusal(
            "patients-mixed",
            "The headers of one patient ID name different persons",
            "Give each patient an ID of their own, or choose all series of one of them.",
            who,
        )
    dicom = [found for found in series if found.dicom is not None]
    if not chosen and len({found.study_key for found in dicom}) > 1 and any(map(_has_placeholder, dicom)):
        return _refusal(
            "patient-id-placeholder",
            "Several studies have a patient ID that many patients share",
            "Give each patient an ID of their own, or choose the series that are meant.",
            who,
        )
    return None


def _persons(series: Sequence[FoundSeries]) -> list[Person]:
    found = {header.person: None for one in series if one.dicom is not None for header in one.dicom.slices}
    return list(found)


def _has_placeholder(found: FoundSeries) -> bool:
    return bool(_PLACEHOLDER.fullmatch(re.sub(r"[\W_]+", "", found.patient_key.lower())))


def _refusal(code: str, what_is_wrong: str, remedy: str, who: str) -> Finding:
    return Finding(Level.ERROR, code, f"{what_is_wrong}; nothing was paired.", remedy, who)
