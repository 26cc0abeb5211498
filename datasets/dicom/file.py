"""One DICOM file: parsed without ever showing what is in it, and its fields as plain values.

Values come from files that anyone may have written: a field that is absent or cannot be read is empty, never an error.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, FileDataset, dcmread
from pydicom.uid import UID

from datasets.dicom.checks import check_structure
from datasets.dicom.start import BEGINNING_BYTES, start_of
from datasets.dicom.structure import DicomStructure, walk
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.gate import DEFAULT_BUDGET, Budget, opened, refuse_errors

logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its messages quote values, patients' names among them


def looks_like_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM does, with or without preamble, whatever its name."""
    with path.open("rb") as stream:
        return start_of(stream.read(BEGINNING_BYTES)) is not None


def read_dataset(path: Path, *, keywords: list[str] | None = None, budget: Budget = DEFAULT_BUDGET) -> Dataset:
    """Reads a DICOM file whole, or only `keywords` without pixels ([] for all of the header); no warnings.

    The file's structure is checked first (`datasets.dicom.structure`), so that no parser recurses, inflates or
    allocates more than the budget allows.

    Raises:
        RejectedInput: Not a DICOM file, a damaged one, or one that costs too much. The cause is cut off: pydicom's
            messages quote the file.
    """
    try:
        with opened(path, budget=budget) as stream:
            structure = walk(stream, budget=budget)
            stream.seek(0)
            with without_warnings():
                if keywords is None:
                    dataset = dcmread(BytesIO(stream.read()), force=structure.is_bare)
                else:
                    dataset = dcmread(stream, stop_before_pixels=True, specific_tags=keywords, force=structure.is_bare)
            return _with_syntax(dataset, structure)
    except RejectedInput:
        raise
    except Exception as error:  # a parser facing hostile bytes raises anything; all of it means one thing
        raise unreadable(error) from None


def _with_syntax(dataset: FileDataset, structure: DicomStructure) -> FileDataset:
    """Adds the transfer syntax to a file without meta information."""
    if structure.is_bare and structure.transfer_syntax and "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = UID(structure.transfer_syntax)
    return dataset


def dicom_findings(path: Path, *, budget: Budget = DEFAULT_BUDGET) -> tuple[Finding, ...]:
    """Warnings about the structure of a DICOM file that can be read; pixels are not decoded.

    Raises:
        RejectedInput: As `read_dataset`, and the errors of `check_structure`.
    """
    try:
        with opened(path, budget=budget) as stream:
            return refuse_errors(check_structure(walk(stream, budget=budget)))
    except OSError as error:
        raise unreadable(error) from None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Drops Python's warnings inside the block: pydicom's quote the values that they are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def unreadable(error: Exception) -> RejectedInput:
    """The refusal of a DICOM file that cannot be parsed, naming the kind of fault and nothing of its content."""
    return RejectedInput(
        "dicom-unreadable",
        f"The file is no DICOM file or a damaged one ({type(error).__name__}).",
        remedy="Export or copy the file again.",
    )


def text(dataset: Dataset, keyword: str) -> str:
    """A field as text, its values joined by a backslash; empty where absent or unreadable."""
    return "\\".join(texts(dataset, keyword))


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """A field's values as stripped text; () where absent or unreadable."""
    return tuple(stripped for value in values(dataset, keyword) if (stripped := str(value).strip(" \0")))


def number(dataset: Dataset, keyword: str) -> float | None:
    """A field's first value as a finite number; None where absent or unreadable."""
    values = numbers(dataset, keyword)
    return values[0] if values else None


def numbers(dataset: Dataset, keyword: str, *, count: int | None = None) -> tuple[float, ...] | None:
    """A field's values as finite numbers; None where absent, unreadable or not `count` of them."""
    try:
        found = tuple(float(value) for value in values(dataset, keyword))
    except (TypeError, ValueError):
        return None
    if not found or not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        return None
    return found


def values(dataset: Dataset, keyword: str) -> tuple[Any, ...]:
    """A field's values as they are, a sequence's items among them; () where absent or unreadable."""
    try:
        with without_warnings():
            value = dataset.get(keyword)
    except Exception:  # values are parsed on access, and a damaged one raises anything
        return ()
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else tuple(value)
