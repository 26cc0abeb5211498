"""What is in this folder: DICOM series, structure sets, NIfTI volumes and masks, whatever the folders are called.

Of DICOM only headers are read. Files are numbered from 1 in the order of their paths, so that a finding can name
"file 17" and a person can find it, while no path, which often carries a patient's name, is shown. DICOM is known by its
content, with or without ``.dcm``; NIfTI by its suffix, its role by its name (`curation.nifti_names` states the rule).
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.case_table import CASE_TABLE_NAME, CaseDescription, CaseTable, read_case_table
from curation.found_series import FolderScan, FoundMask, FoundSeries
from curation.nifti_names import NiftiName, read_name
from datasets.dicom_file import dicom_findings, looks_like_dicom
from datasets.dicom_header import SeriesEvidence, SliceHeader, plane_of, read_header
from datasets.dicom_series import DicomSeries, group_series
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.nifti import is_nifti, nifti_findings, read_grid
from datasets.volume import Grid

Progress = Callable[[int, int], None]

NOT_IMAGES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".md", ".rst", ".xml", ".html", ".htm", ".pdf", ".doc", ".docx", ".xls", ".xlsx",
     ".log", ".ini", ".yaml", ".yml", ".sha256", ".md5", ".png", ".jpg", ".jpeg", ".gif", ".bval", ".bvec"}
)  # fmt: skip
"""Files with these suffixes are not meant as images and are passed over silently."""

_NOT_IMAGE_NAMES = frozenset({"license", "licence", "readme", "dicomdir", "checksums", "thumbs.db", "autorun.inf"})
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_ANISOTROPIC = 1.5
_DIGEST_DIGITS = 12


def scan_folder(folder: Path, *, progress: Progress | None = None) -> FolderScan:
    """Looks at every file below a folder once.

    Links, pipes and devices are not followed and named in a finding. Hidden files, files that are clearly not meant as
    images, and second copies of a DICOM file are passed over. Every other file that is no image, or a damaged one, is
    named in a finding.

    Args:
        folder: Studies of one or more patients, nested as they are; may hold a `cases.csv`.
        progress: Called with (files looked at, files).

    Raises:
        RejectedInput: There is no such folder.
    """
    if not folder.is_dir():
        raise RejectedInput("folder-absent", "Expected a folder of studies, got none.", remedy="Check the path given.")
    paths = sorted(_walk(folder), key=lambda path: path.relative_to(folder).as_posix())
    looks = _Looks(folder)
    for number, path in enumerate(paths, start=1):
        looks.look_at(path, number)
        if progress is not None:
            progress(number, len(paths))
    return looks.summed_up(read_case_table(folder), file_count=len(paths))


class _Looks:
    """Gathers what the files of one folder are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.headers: list[SliceHeader] = []
        self.nifti: list[FoundSeries] = []
        self.masks: list[FoundMask] = []
        self.findings: list[Finding] = []
        self.notes: dict[str, tuple[int, int, Finding]] = {}
        self.numbers: dict[Path, int] = {}
        self.objects: dict[str, Path] = {}

    def look_at(self, path: Path, number: int) -> None:
        """Sorts one file in, or says what is wrong with it."""
        self.numbers[path] = number
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                self._refuse(number, _NOT_REGULAR)
            elif not _is_no_image(path):
                self._sort_in(path, number)
        except RejectedInput as error:
            digest = "" if error.code == "file-too-large" else sha256_of_file(path)[:_DIGEST_DIGITS]
            self._refuse(number, error, digest=digest)
        except OSError as error:
            self._refuse(number, _unopened(error))

    def summed_up(self, table: CaseTable, *, file_count: int) -> FolderScan:
        """Everything that was gathered, in the order of the files."""
        dicom = [_found(series) for series in group_series(self.headers)]
        series = sorted([*dicom, *self.nifti], key=lambda found: min(self.numbers[path] for path in found.files))
        first_files: dict[str, int] = {}
        for key, number in sorted(self._patients([*dicom, *self.nifti]), key=lambda pair: pair[1]):
            first_files.setdefault(key, number)
        descriptions, unused = _matched(table, list(first_files))
        return FolderScan(
            series=tuple(series),
            masks=tuple(self.masks),
            first_files=first_files,
            descriptions=descriptions,
            findings=(*self.findings, *self._noted(), *table.findings, *unused),
            file_count=file_count,
        )

    def _patients(self, series: list[FoundSeries]) -> Iterator[tuple[str, int]]:
        for found in series:
            yield found.patient_key, min(self.numbers[path] for path in found.files)
        for mask in self.masks:
            yield mask.patient_key, self.numbers[mask.path]

    def _sort_in(self, path: Path, number: int) -> None:
        if is_nifti(path):
            self._note(number, nifti_findings(path))
            self._sort_in_nifti(path, read_name(path.relative_to(self.folder)), number)
        elif looks_like_dicom(path):
            self._note(number, dicom_findings(path))
            self._sort_in_dicom(read_header(path), number)
        elif path.suffix.lower() in _DICOM_SUFFIXES:
            raise RejectedInput(
                "dicom-unreadable",
                "Expected a DICOM file, as its name says, got something else.",
                remedy="Export or copy the file again.",
            )
        else:
            raise RejectedInput(
                "file-not-image",
                "Expected DICOM or NIfTI, got a file of another kind.",
                remedy="Remove it from the folder, or convert it if it is an image.",
            )

    def _sort_in_dicom(self, header: SliceHeader, number: int) -> None:
        first = self.objects.setdefault(header.sop_instance_uid or str(header.path), header.path)
        if first != header.path:
            _require_copy(first, header.path)
        elif header.is_structure_set:
            mask = FoundMask(f"file {number}", header.patient_key, header.path, series_uids=header.referenced_series)
            self.masks.append(mask)
        elif header.is_image and not (header.series_uid and header.patient_key):
            raise RejectedInput(
                "dicom-no-series",
                "Expected a patient and a series in the header, got an image without.",
                remedy="Export the image from the archive again.",
            )
        elif header.is_image:
            self.headers.append(header)

    def _sort_in_nifti(self, path: Path, name: NiftiName, number: int) -> None:
        grid = read_grid(path)
        if name.is_mask:
            self.masks.append(
                FoundMask(
                    f"file {number}",
                    name.patient_key,
                    path,
                    named_role=name.role,
                    modality=name.modality,
                    region=name.region,
                )
            )
            return
        found = FoundSeries(
            reference=sha256_of_file(path)[:10],
            patient_key=name.patient_key,
            study_key=name.patient_key,
            evidence=_nifti_evidence(grid, name),
            files=(path,),
            named_role=name.role,
        )
        self.nifti.append(found)

    def _note(self, number: int, findings: tuple[Finding, ...]) -> None:
        """Keeps what is worth knowing of files that can be used: once a kind, for all slices of a series share it."""
        for finding in findings:
            first, count, _ = self.notes.get(finding.code, (number, 0, finding))
            self.notes[finding.code] = (first, count + 1, finding)

    def _noted(self) -> Iterator[Finding]:
        for first, count, finding in self.notes.values():
            yield replace(finding, subject=f"file {first}" + (f" and {count - 1} others" if count > 1 else ""))

    def _refuse(self, number: int, error: RejectedInput, *, digest: str = "") -> None:
        """A damaged image is an error; a file that was perhaps never meant as one is a warning."""
        level = Level.WARNING if error.code in ("file-not-image", "file-not-regular") else Level.ERROR
        subject = f"file {number} (sha256 {digest})" if digest else f"file {number}"
        self.findings.append(Finding(level, error.code, error.message, error.remedy, subject))


def _require_copy(first: Path, second: Path) -> None:
    """A second copy of the same bytes is no news; two different objects of one UID cannot both be right."""
    if sha256_of_file(first) != sha256_of_file(second):
        raise RejectedInput(
            "dicom-uid-twice",
            "Expected one object of each UID, got a second one with other content.",
            remedy="Find out which of the two is right, and remove the other.",
        )


_NOT_REGULAR = RejectedInput(
    "file-not-regular",
    "Expected a regular file, got a link, a pipe or a device; it was not followed.",
    remedy="Copy the files themselves into the folder.",
)


def _unopened(error: OSError) -> RejectedInput:
    return RejectedInput(
        "file-unreadable",
        f"Expected a file that can be read, got none ({type(error).__name__}).",
        remedy="Check the file's permissions and the disk.",
    )


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, links to folders among them; nothing hidden."""
    for root, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield Path(root, name)
        yield from (Path(root, name) for name in folders if Path(root, name).is_symlink())


def _is_no_image(path: Path) -> bool:
    return path.suffix.lower() in NOT_IMAGES or path.name.lower().split(".")[0] in _NOT_IMAGE_NAMES


def _found(series: DicomSeries) -> FoundSeries:
    return FoundSeries(
        reference=series.reference,
        patient_key=series.patient_key,
        study_key=series.study_uid,
        evidence=series.evidence,
        files=series.files,
        dicom=series,
    )


def _nifti_evidence(grid: Grid, name: NiftiName) -> SeriesEvidence:
    """NIfTI says nothing of the sequence; the slices run along the axis of the largest spacing, or along k."""
    axis = int(np.argmax(grid.spacing)) if max(grid.spacing) > _ANISOTROPIC * min(grid.spacing) else 2
    return SeriesEvidence(
        modality=name.modality,
        series_description=name.words,
        orientation=plane_of(grid.affine[:3, axis]),
        slice_count=grid.shape[axis],
        spacing=grid.spacing,
    )


def _matched(table: CaseTable, patient_keys: list[str]) -> tuple[dict[str, CaseDescription], list[Finding]]:
    """Rows by patient key; a row's id may be the whole key or its last part. Rows of nobody become findings."""
    known = {key: key for key in patient_keys} | {key.rsplit("/", 1)[-1]: key for key in patient_keys if "/" in key}
    descriptions = {}
    findings = []
    for patient_id, (number, description) in table.rows.items():
        if patient_id in known:
            descriptions[known[patient_id]] = description
            continue
        findings.append(
            Finding(
                Level.WARNING,
                "table-row-unused",
                "Expected images of the patient in this row, got none.",
                "Add the images, or correct the patient_id.",
                f"{CASE_TABLE_NAME}, row {number}",
            )
        )
    return descriptions, findings
