"""Scans a folder for DICOM series and masks, NIfTI, NRRD and MetaImage volumes, whatever the folders are called.

Of DICOM only headers are read. Files are numbered from 1 in the order of their paths, so that a finding can name "file
17" and a person can find it, while no path, which often carries a patient's name, is shown. DICOM is known by its
content, with or without ``.dcm``; volume files by their suffix, their role by their voxels and their name
(`curation.names.nifti_names` states the rule) or by `cases.csv`. A DICOMDIR is not followed: the files are found
without it.
"""

import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from unicodedata import normalize

from curation.names.role_names import RoleNames
from curation.scanning.case_table import CASE_TABLE_NAME, CaseTable, read_case_table, row_finding
from curation.scanning.dataset_layouts import laid_out
from curation.scanning.found_series import FolderScan, FoundMask, FoundSeries
from curation.scanning.found_volumes import PlacedVolumes, VolumeFile, look_at_volume, place_volumes
from curation.scanning.laid_out import LaidOut
from curation.scanning.mask_patients import masks_of_other_patients, other_patient_finding
from curation.scanning.mask_values import label_lists
from curation.scanning.table_files import NamedPaths, choices_of, named_paths
from datasets.dicom.file import dicom_findings, looks_like_dicom
from datasets.dicom.header import SliceHeader, read_header
from datasets.dicom_series.repeated_slices import is_same_picture
from datasets.dicom_series.series import DicomSeries, group_series
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.formats.volume_file import header_findings, is_data_of_header, is_volume_file
from datasets.labels.label_values import LabelValues
from datasets.progress import Progress
from datasets.study.protocol import Protocol

NOT_IMAGES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".md", ".rst", ".xml", ".html", ".htm", ".pdf", ".doc", ".docx", ".xls", ".xlsx",
     ".log", ".ini", ".yaml", ".yml", ".sha256", ".md5", ".png", ".jpg", ".jpeg", ".gif", ".bval", ".bvec"}
)  # fmt: skip
"""Files with these suffixes are not meant as images and are ignored without a finding."""

_NOT_IMAGE_NAMES = frozenset({"license", "licence", "readme", "dicomdir", "checksums", "thumbs.db", "autorun.inf"})
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_DIGEST_DIGITS = 12


_OTHER_OBJECTS = {
    "SR": "report", "PR": "presentation state", "KO": "key object selection", "DOC": "document", "REG": "registration",
    "RTDOSE": "dose", "RTPLAN": "plan", "FID": "fiducials", "RWV": "value map", "ANN": "annotation",
}  # fmt: skip
"""DICOM objects that are neither image nor mask, by modality."""


def scan_folder(
    folder: Path,
    *,
    protocol: Protocol,
    progress: Progress | None = None,
    site_words: frozenset[str] | None = None,
    label_values: LabelValues | None = None,
    listed: LaidOut | None = None,
) -> FolderScan:
    """Looks at every file below a folder once.

    Links, pipes and devices are not followed and named in a finding. Hidden files, files that are clearly not meant as
    images, and duplicates of a DICOM file are ignored; DICOM objects that are neither images nor masks are
    counted. Every other file that is no image, a damaged one, and a folder that cannot be opened, is named in a
    finding.

    Args:
        folder: Studies of one or more patients, nested as they are; may hold a `cases.csv`.
        protocol: The study's: its images' names in file names and tables, its labels and its tissue types.
        progress: Called with (files looked at, files).
        site_words: Words of anatomical sites that are kept beside the protocol's; None for the built-in ones.
        label_values: Meaning of the values of mask files by a person; None for none.
        listed: What a published dataset says of its files (`curation.scanning.source_listing`); None where the folder
            is one of studies, in which datasets may lie.

    Raises:
        RejectedInput: There is no such folder.
    """
    if not folder.is_dir():
        raise RejectedInput("folder-absent", "There is no such folder of studies.", remedy="Check the path given.")
    tree = FileTree.of(folder)
    paths = [tree.file(path) for path in tree.paths]
    listed = laid_out(tree, protocol) if listed is None else listed
    has_table = not listed.has_own_table
    table = read_case_table(folder, protocol=protocol, site_words=site_words) if has_table else CaseTable()
    looks = _Looks(folder, named_paths(table, tree.paths), listed, RoleNames(protocol))
    for number, path in enumerate(paths, start=1):
        looks.look_at(path, number)
        if progress is not None:
            progress(number, len(paths))
    looks.findings += [_closed_folder(number, error) for number, error in enumerate(tree.closed, start=1)]
    looks.findings += [_hidden_folders(tree.hidden)] if tree.hidden else []
    lists, unreadable = label_lists(folder, paths if listed.only is None else ())
    looks.findings += unreadable
    placed = place_volumes(
        looks.volumes,
        folder,
        table_patients=table.rows,
        dicom_places=looks.dicom_places(),
        label_values=label_values or {},
        label_lists=lists,
        settled=listed.meanings,
        protocol=protocol,
    )
    return looks.summed_up(table, placed, file_count=len(paths))


class _Looks:
    """Sorts the files of one folder by kind."""

    def __init__(self, folder: Path, named: NamedPaths, listed: LaidOut, roles: RoleNames) -> None:
        self.folder = folder
        self.named = named
        self.listed = listed
        self.roles = roles
        self.headers: list[SliceHeader] = []
        self.volumes: list[VolumeFile] = []
        self.masks: list[FoundMask] = []
        self.findings: list[Finding] = []
        self.notes: dict[str, tuple[int, int, Finding]] = {}
        self.numbers: dict[Path, int] = {}
        self.objects: dict[str, Path] = {}
        self.left_out: Counter[str] = Counter()
        self.presentations: list[tuple[int, tuple[str, ...]]] = []

    def look_at(self, path: Path, number: int) -> None:
        """Sorts one file in, or adds a finding about it."""
        self.numbers[path] = number
        if self.listed.only is not None and path.relative_to(self.folder).as_posix() not in self.listed.only:
            return
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                self._refuse(number, _NOT_REGULAR)
            elif not (_is_no_image(path) or path.relative_to(self.folder).as_posix() in self.listed.left_out):
                self._sort_in(path, number)
        except RejectedInput as error:
            digest = "" if error.code == "file-too-large" else sha256_of_file(path)[:_DIGEST_DIGITS]
            self._refuse(number, error, digest=digest)
        except OSError as error:
            self._refuse(number, _unopened(error))

    def dicom_places(self) -> set[tuple[PurePath, str]]:
        """Folders of DICOM images, and the patients in them."""
        return {(header.path.relative_to(self.folder).parent, header.patient_key) for header in self.headers}

    def summed_up(self, table: CaseTable, placed: PlacedVolumes, *, file_count: int) -> FolderScan:
        """Everything that was gathered, in the order of the files."""
        dicom = [_found(series) for series in group_series(self.headers)]
        series = sorted([*dicom, *placed.series], key=self._number_of)
        strange = list(masks_of_other_patients(self.masks, series))
        own = [mask for mask in self.masks if mask not in strange]
        masks = sorted([*own, *placed.masks], key=lambda mask: self.numbers[mask.path])
        first_files: dict[str, int] = {}
        for key, number in sorted(self._patients(series, masks), key=lambda pair: pair[1]):
            first_files.setdefault(key, number)
        known, shared = _known_ids(list(first_files))
        rows = {known[patient_id]: row for patient_id, row in table.named.items() if patient_id in known}
        by_table = {known[name]: said for name, (_, said) in table.rows.items() if name in known}
        return FolderScan(
            series=tuple(series),
            masks=tuple(masks),
            first_files=first_files,
            descriptions={
                **{key: said for key, said in self.listed.descriptions.items() if key in first_files},
                **by_table,
            },
            findings=(
                *self.findings,
                *self._noted(),
                *self._without_series(series),
                *table.findings,
                *self.named.findings,
                *self.listed.findings,
                *placed.findings,
                *map(other_patient_finding, strange),
                *_unused_rows(table, known, shared, self.named),
            ),
            file_count=file_count,
            choices={
                key: choices_of(row, key, self._paths_of(key, series), self.named.files) for key, row in rows.items()
            },
            left_out=dict(self.left_out),
            visits={
                (key, visit): by_table.get(key, said)
                for (key, visit), said in self.listed.visits.items()
                if key in first_files
            },
            former_keys={
                **placed.former_keys,
                **{key: old for key, old in self.listed.former.items() if key in first_files},
            },
        )

    def _number_of(self, found: FoundSeries) -> int:
        return min(self.numbers[path] for path in found.files)

    def _paths_of(self, key: str, series: list[FoundSeries]) -> list[tuple[FoundSeries, tuple[str, ...]]]:
        """A patient's series, with the paths of their files below the folder."""
        return [
            (found, tuple(path.relative_to(self.folder).as_posix() for path in found.files))
            for found in series
            if found.patient_key == key
        ]

    def _patients(self, series: list[FoundSeries], masks: list[FoundMask]) -> Iterator[tuple[str, int]]:
        yield from ((found.patient_key, self._number_of(found)) for found in series)
        yield from ((mask.patient_key, self.numbers[mask.path]) for mask in masks)

    def _sort_in(self, path: Path, number: int) -> None:
        if is_volume_file(path):
            self._sort_in_volume(path, number)
        elif looks_like_dicom(path):
            self._note(number, dicom_findings(path))
            self._sort_in_dicom(read_header(path), number)
        elif path.suffix.lower() in _DICOM_SUFFIXES:
            raise RejectedInput(
                "dicom-unreadable",
                "The file is named like DICOM but holds something else.",
                remedy="Export or copy the file again.",
            )
        else:
            raise RejectedInput(
                "file-not-image",
                "The file is no DICOM, NIfTI, NRRD or MetaImage.",
                remedy="Remove it from the folder, or convert it if it is an image.",
            )

    def _sort_in_dicom(self, header: SliceHeader, number: int) -> None:
        first = self.objects.setdefault(header.sop_instance_uid or str(header.path), header.path)
        if first != header.path:
            self._note(number, tuple(_copy_of(first, header)))
        elif header.is_structure_set or header.is_segmentation:
            self.masks.append(
                FoundMask(
                    f"file {number}",
                    header.patient_key,
                    header.path,
                    series_uids=header.referenced_series,
                    image_uids=header.contour_images,
                    is_segmentation=header.is_segmentation,
                    renamed=self.listed.renamed,
                )
            )
        elif header.is_image and not (header.series_uid and header.patient_key):
            raise RejectedInput(
                "dicom-no-series",
                "The image's header names no patient or no series.",
                remedy="Export the image from the archive again.",
            )
        elif header.is_image:
            self.headers.append(header)
        else:
            self.left_out[_OTHER_OBJECTS.get(header.evidence.modality, "other DICOM object")] += 1
            if header.evidence.modality == "PR":
                self.presentations.append((number, header.referenced_series))

    def _sort_in_volume(self, path: Path, number: int) -> None:
        relative = path.relative_to(self.folder)
        by_table = self.named.files.get(relative.as_posix())
        of_dataset = self.listed.files.get(relative.as_posix(), (None,))
        for entry in (by_table,) if by_table is not None else of_dataset:
            self._note(number, header_findings(path, channel=None if entry is None else entry.channel))
            self.volumes.append(look_at_volume(path, relative, number, named=entry, roles=self.roles))

    def _without_series(self, series: list[FoundSeries]) -> Iterator[Finding]:
        """Findings about presentation states whose series are missing."""
        present = {found.dicom.series_uid for found in series if found.dicom}
        for number, uids in self.presentations:
            if uids and not present & set(uids):
                message = "The series that a presentation state belongs to is not in the folder."
                remedy = "Add that series to the folder, if it is wanted."
                yield Finding(Level.INFO, "presentation-without-series", message, remedy, f"file {number}")

    def _note(self, number: int, findings: tuple[Finding, ...]) -> None:
        """Keeps warnings about files that can be used: one for each code, since all slices of a series share it."""
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


def _copy_of(first: Path, second: SliceHeader) -> Iterator[Finding]:
    """A warning where a file repeats an object with the same picture and another header; none for the same bytes.

    Raises:
        RejectedInput: ``dicom-uid-twice``: two different objects of one UID, which cannot both be right.
    """
    if sha256_of_file(first) == sha256_of_file(second.path):
        return
    if not is_same_picture(read_header(first), second):
        raise RejectedInput(
            "dicom-uid-twice",
            "Two objects of one UID differ in content.",
            remedy="Find out which of the two is right, and remove the other.",
        )
    yield Finding(
        Level.WARNING,
        "dicom-twice",
        "Two files are one object, with the same picture and different headers; the first in the order of the "
        "files was used.",
        "Nothing, if the images are right.",
    )


_NOT_REGULAR = RejectedInput(
    "file-not-regular",
    "This is a link, a pipe or a device, not a regular file; it was not followed.",
    remedy="Copy the files themselves into the folder.",
)


def _unopened(error: OSError) -> RejectedInput:
    return RejectedInput(
        "file-unreadable",
        f"The file cannot be read ({type(error).__name__}).",
        remedy="Check the file's permissions and the disk.",
    )


def _closed_folder(number: int, error: OSError) -> Finding:
    return Finding(
        Level.ERROR,
        "folder-unreadable",
        f"The folder cannot be opened ({type(error).__name__}); what is in it is unknown.",
        "Give read permission for everything below the folder, and ingest again.",
        f"closed folder {number}",
    )


def _hidden_folders(count: int) -> Finding:
    message = f"{count} folder(s) whose names start with a dot were ignored."
    return Finding(Level.INFO, "folders-hidden", message, "Rename what holds images, and ingest again.", "the folder")


def _is_no_image(path: Path) -> bool:
    is_other = path.suffix.lower() in NOT_IMAGES or path.name.lower().split(".")[0] in _NOT_IMAGE_NAMES
    return is_other or is_data_of_header(path)


def _found(series: DicomSeries) -> FoundSeries:
    return FoundSeries(
        reference=series.reference,
        patient_key=series.patient_key,
        study_key=series.study_uid,
        evidence=series.evidence,
        files=series.files,
        dicom=series,
    )


def _known_ids(patient_keys: list[str]) -> tuple[dict[str, str], set[str]]:
    """The ids by which rows may name patients (the whole key or its last part), and last parts that several share."""
    last: dict[str, list[str]] = defaultdict(list)
    for key in patient_keys:
        if "/" in key:
            last[normalize("NFC", key.rsplit("/", 1)[-1])].append(key)
    whole = {normalize("NFC", key): key for key in patient_keys}
    single = {name: keys[0] for name, keys in last.items() if len(keys) == 1}
    shared = {name for name, keys in last.items() if len(keys) > 1} - set(whole)
    return single | whole, shared


def _unused_rows(table: CaseTable, known: dict[str, str], shared: set[str], named: NamedPaths) -> Iterator[Finding]:
    """Findings about rows of no patient with images, but for those told to name a missing file, or of several."""
    told = {finding.subject for finding in named.findings}
    for patient_id, (row, _) in table.rows.items():
        if patient_id in shared:
            message = "Patients in several folders have the name in this row."
            remedy = "Write the patient's folders before it, joined by slashes, or name the files."
            yield row_finding(row, "table-row-of-several", message, remedy=remedy)
        elif patient_id not in known and f"{CASE_TABLE_NAME}, row {row}" not in told:
            remedy = "Add the images, or correct the patient_id."
            yield row_finding(row, "table-row-unused", "The patient of this row has no images.", remedy=remedy)
