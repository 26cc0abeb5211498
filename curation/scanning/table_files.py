"""Finds the files and series that `cases.csv` names among those of the folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from unicodedata import normalize

from curation.scanning.case_table import CaseTable, NamedFiles, row_finding
from curation.scanning.found_series import FoundSeries
from datasets.file_tree import leads_outside
from datasets.finding import Finding
from datasets.formats.volume_file import is_volume_file


@dataclass(frozen=True)
class NamedFile:
    """One file, or one channel of a file, that the table names, or a dataset's list.

    Args:
        patient_id: The row's, or the dataset's case. Never to be stored or shown.
        role: The role of its column; None for a mask of a dataset, whose images share one grid.
        is_mask: Whether that is a mask's column.
        channel: Which channel of a 4D file; None for a file of one volume.
        modality: DICOM's word for another modality than MR.
        is_of_dataset: Whether a dataset's list says so, and the file's own name nothing.
        visit: Which of several cases of the patient it is of; empty where there is one. Never to be shown.
        vendor: Of the scanner; empty where nothing says it.
        described: How a description would say what kind of image it is; empty where only its role says it.
    """

    patient_id: str = field(repr=False)
    role: str | None
    is_mask: bool
    channel: int | None = None
    modality: str = ""
    is_of_dataset: bool = False
    visit: str = field(default="", repr=False)
    vendor: str = ""
    described: str = ""


@dataclass(frozen=True)
class NamedPaths:
    """The files that the table names.

    Args:
        files: Path below the folder, with ``/``, to its entry in the table.
        findings: Paths that lead out of the folder, do not exist, or are named twice.
    """

    files: Mapping[str, NamedFile] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()


def named_paths(table: CaseTable, present: Iterable[str]) -> NamedPaths:
    """The files of the folder that the table names; a path that leads out of the folder is never followed.

    Args:
        table: The table.
        present: Paths of all files below the folder, with ``/``.
    """
    known = _Present(present)
    files: dict[str, NamedFile] = {}
    findings: list[Finding] = []
    for patient_id, row in table.named.items():
        for role, value, is_mask in _cells(row):
            column = f"mask_{role}" if is_mask else role
            found = known.called(value)
            if leads_outside(value):
                findings.append(_bad(row.row, column, "table-path-outside", "leads out of the folder"))
            elif len(found) > 1:
                findings.append(
                    _bad(row.row, column, "table-file-ambiguous", "matches several files that are written alike")
                )
            elif found and found[0] in files:
                findings.append(
                    _bad(row.row, column, "table-file-twice", "names a file that another cell names already")
                )
            elif found:
                files[found[0]] = NamedFile(patient_id, role, is_mask)
            elif is_mask or is_volume_file(PurePosixPath(plain_path(value))):
                findings.append(_bad(row.row, column, "table-file-absent", "names a file that is not there"))
    return NamedPaths(files, tuple(findings))


class _Present:
    """The files that are there, by how a person of another system may write their paths."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._exact = set(paths)
        self._alike: dict[str, list[str]] = {}
        for path in sorted(self._exact):
            self._alike.setdefault(plain_path(path), []).append(path)

    def called(self, value: str) -> list[str]:
        """The file of this very path, or else all that are written alike."""
        path = PurePosixPath(value).as_posix()
        return [path] if path in self._exact else self._alike.get(plain_path(value), [])


def plain_path(value: str) -> str:
    """A path without differences between systems: in slashes, capitals and the composition of accented letters."""
    return normalize("NFC", PurePosixPath(value.replace("\\", "/")).as_posix()).casefold()


def choices_of(
    row: NamedFiles, patient_id: str, own: Sequence[tuple[FoundSeries, tuple[str, ...]]], files: Mapping[str, NamedFile]
) -> dict[str, str]:
    """Role to the reference of the series that a row names, or to `NAMED_BUT_ABSENT`.

    Args:
        row: The row.
        patient_id: Its patient id.
        own: The patient's series, and the paths of their files below the folder.
        files: The files that the table names.
    """
    choices: dict[str, str] = {}
    for role, value in row.series.items():
        fitting = [series for series, paths in own if _is_named(series, paths, value)]
        listed = [
            series
            for series, paths in own
            if any(files.get(path) == NamedFile(patient_id, role, False) for path in paths)
        ]
        found = listed or fitting
        choices[role] = found[0].reference if len(found) == 1 else NAMED_BUT_ABSENT
    return choices


NAMED_BUT_ABSENT = "named but absent"
"""No series has this reference: a series that a person named and that is not there is never replaced by another."""


def _is_named(series: FoundSeries, paths: tuple[str, ...], value: str) -> bool:
    """Whether a cell names a series: by reference, number, folder, or the name of its only file."""
    wanted = PurePosixPath(plain_path(value))
    plain = [PurePosixPath(plain_path(path)) for path in paths]
    return (
        value == series.reference
        or (value.isascii() and value.isdecimal() and series.evidence.series_number == int(value[:18]))
        or (len(plain) == 1 and plain[0].name == str(wanted))
        or all(wanted in path.parents for path in plain)
    )


def _cells(row: NamedFiles) -> list[tuple[str, str, bool]]:
    return [(role, value, False) for role, value in row.series.items()] + [
        (role, value, True) for role, value in row.masks.items()
    ]


def _bad(row: int, column: str, code: str, fault: str) -> Finding:
    return row_finding(row, code, f"In column {column}, the path {fault}.")
