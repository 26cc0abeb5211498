"""De-identifies one DICOM object, and lists the actions done to it."""

import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import DataElement, Dataset, FileMetaDataset
from pydicom.uid import UID

from curation.deidentification.actions_done import ActionDone, Done, Why
from curation.deidentification.policy.policy import Policy
from curation.deidentification.pseudonymous import short_name
from curation.deidentification.quarantine import refuse_unsafe_object
from curation.deidentification.rewriting import (
    DATES_MODIFIED,
    IDENTITY_REMOVED,
    METHOD,
    METHOD_CODES,
    PATIENT_ID,
    PATIENT_NAME,
    Rewriting,
)
from datasets.dicom.file import text, without_warnings
from datasets.dicom.writing import IMPLEMENTATION_UID
from datasets.errors import ProgramFault, RejectedInput

_PATIENT_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True)
class Deidentified:
    """One de-identified object.

    Args:
        dataset: With its file meta information, as it is written.
        actions: Actions done, sorted by tag.
    """

    dataset: Dataset = field(repr=False)
    actions: tuple[ActionDone, ...]

    @property
    def place(self) -> Path:
        """The object's path in the new folder: patient code / study / series / object, named by the new UIDs alone."""
        names = [short_name(text(self.dataset, f"{level}InstanceUID")) for level in ("Study", "Series", "SOP")]
        return Path(text(self.dataset, "PatientID"), *names[:2], f"{names[2]}.dcm")


def deidentify(dataset: Dataset, policy: Policy, *, key: bytes, patient_code: str) -> Deidentified:
    """Removes or replaces attributes of one object that may identify a patient, by the Basic Profile and the options.

    The same object, policy, key and code give the same result, and the same UID gives the same UID in every object.

    Args:
        dataset: One object with its file meta information, as read; it is not changed.
        policy: Which options of the profile apply.
        key: The installation's key, 16 bytes at least; UIDs and dates are moved by it, and it is written nowhere.
        patient_code: Letters, digits, ``_`` and ``-``; takes the place of the patient's name and id.

    Raises:
        RejectedInput: The object belongs in quarantine (``burned-in``, ``sop-class-not-allowed``), has no UIDs
            (``dicom-no-uid``), an unknown transfer syntax (``dicom-transfer-syntax``), too few pixels
            (``pixels-too-few``), or sequences nested without end (``dicom-too-deep``).
        ProgramFault: The key is too short or the code has other characters.

    Source: DICOM PS3.15 2026d, Annex E.
    """
    _require_code(patient_code)
    rewriting = Rewriting(policy, key, patient_code)
    with without_warnings():
        refuse_unsafe_object(dataset)
        _require_uids(dataset)
        try:
            result = rewriting.rewritten(dataset)
        except RecursionError:
            raise RejectedInput(
                "dicom-too-deep",
                "Sequences are nested too deeply.",
                remedy="Export the object from the archive again.",
            ) from None
        _write_record(result, rewriting)
        _write_file_meta(result, dataset)
    return Deidentified(result, tuple(sorted(rewriting.done)))


def written_bytes(done: Deidentified) -> bytes:
    """The object as a DICOM file, with an empty preamble.

    Raises:
        RejectedInput: The rest of it is no sound object (``dicom-unwritable``).
    """
    stream = BytesIO()
    try:
        with without_warnings():
            done.dataset.save_as(stream, enforce_file_format=True)
    except Exception as error:  # of a damaged header too little is left; the message may quote values, so it is cut off
        raise RejectedInput(
            "dicom-unwritable",
            f"Too little is left of the damaged object to write it ({type(error).__name__}).",
            remedy="Export the object from the archive again.",
        ) from None
    return stream.getvalue()


def _require_code(patient_code: str) -> None:
    if not _PATIENT_CODE.fullmatch(patient_code):
        raise ProgramFault(
            "patient-code",
            "The patient code is not letters, digits, _ and -.",
            remedy="Give a code that is no identifier of the hospital's.",
        )


def _require_uids(dataset: Dataset) -> None:
    if not all(text(dataset, f"{level}InstanceUID") for level in ("Study", "Series", "SOP")):
        raise RejectedInput(
            "dicom-no-uid",
            "The object lacks the UID of its study, its series or itself.",
            remedy="Export the object from the archive again.",
        )


def _write_record(result: Dataset, rewriting: Rewriting) -> None:
    """Adds the attributes by which PS3.15 marks de-identified objects, and the patient code where none was replaced."""
    policy = rewriting.policy
    written = {
        PATIENT_NAME: ("PN", rewriting.patient_code),
        PATIENT_ID: ("LO", rewriting.patient_code),
        IDENTITY_REMOVED: ("CS", "YES"),
        METHOD: ("LO", policy.method()),
        METHOD_CODES: ("SQ", policy.codes()),
        DATES_MODIFIED: ("CS", policy.dates),
    }
    for tag, (value_representation, value) in written.items():
        if tag not in result:
            rewriting.note(tag, Done.WRITTEN, Why.RECORD)
        result[tag] = DataElement(tag, value_representation, value)


def _write_file_meta(result: Dataset, source: Dataset) -> None:
    """A file meta group made afresh: nothing of the old one but the transfer syntax."""
    result.preamble = bytes(128)
    result.file_meta = FileMetaDataset()
    result.file_meta.MediaStorageSOPClassUID = UID(text(result, "SOPClassUID"))
    result.file_meta.MediaStorageSOPInstanceUID = UID(text(result, "SOPInstanceUID"))
    result.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    result.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    result.file_meta.ImplementationVersionName = "MASKLOOP"
