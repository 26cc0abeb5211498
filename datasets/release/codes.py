"""The codes by which a release calls its patients and cases, and the words of file names that come from names.

A patient is ``sub-0001``, a case ``sub-0001_ses-1``: BIDS's words, with which every file's name begins.
"""

import re
from typing import NamedTuple

from datasets.errors import RejectedInput

_PATIENT = r"sub-[A-Za-z0-9]{1,40}"
_CASE = re.compile(rf"({_PATIENT})_(ses-[A-Za-z0-9]{{1,20}})")


class CaseCode(NamedTuple):
    """A case's code in its parts: the patient's code, and the session's."""

    patient: str
    session: str


def patient_code(number: int) -> str:
    """The code of a release's patient.

    Args:
        number: From 1; a number is never given to another patient, also where the first one has left.
    """
    return f"sub-{number:04d}"


def case_code(patient: str, number: int) -> str:
    """The code of a case of a patient.

    Args:
        patient: The patient's code.
        number: From 1, among the patient's cases.
    """
    return f"{patient}_ses-{number}"


def is_patient_code(code: str) -> bool:
    """Whether this is the code of a release's patient."""
    return re.fullmatch(_PATIENT, code) is not None


def parts_of(code: str) -> CaseCode:
    """The parts of a case's code.

    Raises:
        RejectedInput: It is none (``release-code``).
    """
    found = _CASE.fullmatch(code)
    if found is None:
        raise RejectedInput(
            "release-code",
            f"Expected a case's code such as sub-0001_ses-1, got {code[:80]!r}.",
            remedy="Give patients codes such as sub-0001, and their cases such as sub-0001_ses-1.",
        )
    return CaseCode(found[1], found[2])


def word_of(name: str, *, otherwise: str) -> str:
    """A name as BIDS has it in file names: its ASCII letters and digits; `otherwise` where it has none."""
    return re.sub(r"[^A-Za-z0-9]", "", name) or otherwise
