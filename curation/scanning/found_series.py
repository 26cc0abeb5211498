"""The result of scanning a folder: series and masks, with the evidence that pairing needs.

One series passes through `FoundSeries` (this file), `JudgedSeries` (`curation.series.ranking`), `Candidate`
(`curation.pairing.candidates`) and `SeriesChoice` (`curation.pairing.series_choice`).

Keys and paths identify people: they stay inside these values, out of their `repr`, and are never to be stored or shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath

from curation.scanning.case_table import CaseDescription
from datasets.dicom.header import SeriesEvidence
from datasets.dicom_series.series import DicomSeries, files_digest, read_series, series_grid
from datasets.files import sha256_of_bytes
from datasets.finding import Finding
from datasets.formats.volume_file import is_volume_file, read_grid, read_volume
from datasets.image.volume import Grid, Volume


@dataclass(frozen=True)
class FoundSeries:
    """One image series of one patient.

    Args:
        reference: Short name for reports; says nothing about the patient, and stays the same over runs: from a hash of
            the series' UID, or of a volume file's bytes.
        patient_key: DICOM's PatientID, or the folder and prefix of volume files (NIfTI, NRRD, MetaImage). Never to be
            stored or shown.
        study_key: Of the visit. Never to be stored or shown.
        evidence: For its kind, from the header or a volume file's name.
        files: Its files.
        dicom: Its headers; None for a volume file.
        named_role: Role in a volume file's name, or in `cases.csv`; None for DICOM.
        made_by: BIDS entities that describe the acquisition, run and session among them. Never to be shown.
        relative: A volume file's path below the scanned folder, which the name was read from; None where `cases.csv`
            names the file, and for DICOM. Never to be shown.
        channel: Which channel of a 4D file it is, from 0; None for a file of one volume, and for DICOM.
    """

    reference: str
    patient_key: str = field(repr=False)
    study_key: str = field(repr=False)
    evidence: SeriesEvidence
    files: tuple[Path, ...] = field(repr=False)
    dicom: DicomSeries | None = field(default=None, repr=False)
    named_role: str | None = None
    made_by: Mapping[str, str] = field(default_factory=dict, repr=False)
    relative: PurePath | None = field(default=None, repr=False)
    channel: int | None = None

    @property
    def grid(self) -> Grid:
        """The series' grid, from the headers alone.

        Raises:
            RejectedInput: It is no sound stack of slices.
        """
        return read_grid(self.files[0], channel=self.channel) if self.dicom is None else series_grid(self.dicom)

    @property
    def source_sha256(self) -> str:
        """Digest over the digests of its files, and of the channel where it is one of several; reads them all."""
        digest = files_digest(self.files)
        return digest if self.channel is None else sha256_of_bytes(f"{digest}\n{self.channel}".encode())

    @property
    def visit(self) -> str:
        """What a volume file's name, or a dataset's list, calls the visit; empty otherwise. Never to be shown."""
        return self.made_by.get("ses", "")

    @property
    def frame_of_reference(self) -> str:
        """Two series of one frame of reference share millimetres; empty where not known. Never to be shown."""
        return self.dicom.frame_of_reference_uid if self.dicom else ""

    @property
    def acquired(self) -> datetime | None:
        """Acquisition time; None where unknown. Only for comparing series of a patient, never to be stored or shown."""
        return self.evidence.acquisition_time

    def read(self) -> Volume:
        """Reads the series' voxels as float32.

        Raises:
            RejectedInput: It cannot be read or is no sound stack of slices.
        """
        return read_volume(self.files[0], channel=self.channel) if self.dicom is None else read_series(self.dicom)


@dataclass(frozen=True)
class FoundMask:
    """A structure set, a segmentation or a mask in a volume file.

    Args:
        reference: "file 17", as findings name it.
        patient_key: As of a series. Never to be stored or shown.
        path: The file.
        series_uids: The series that a structure set or a segmentation was drawn on; () for a volume file, and for a
            segmentation that does not say.
        image_uids: The images that a structure set's contours name. Never to be shown.
        named_role: The role in a volume file's name, or in `cases.csv`.
        other_image: What kind of image a volume file's name says that is none of the protocol's.
        labels: Name of the region of each value of a volume file; {} where the values' meaning is unknown.
        is_segmentation: Whether it is a DICOM SEG.
        made_by: As of a series: of the image that BIDS's name says it was drawn on. Never to be shown.
        left_out: Values of a volume file that a person left out.
        is_settled: Whether a published dataset's list, with what a person said, settles what `labels` are: several
            values may then be one region.
        may_be_empty: Whether its publisher says that it is rightly empty.
        renamed: Name of a region of a DICOM mask, as `plain_name` writes it, to what it is called; empty for one that a
            person left out. Never to be shown.
    """

    reference: str
    patient_key: str = field(repr=False)
    path: Path = field(repr=False)
    series_uids: tuple[str, ...] = field(default=(), repr=False)
    image_uids: frozenset[str] = field(default=frozenset(), repr=False)
    named_role: str | None = None
    other_image: str = ""
    labels: Mapping[int, str] = field(default_factory=dict, repr=False)
    is_segmentation: bool = False
    made_by: Mapping[str, str] = field(default_factory=dict, repr=False)
    left_out: frozenset[int] = frozenset()
    is_settled: bool = False
    may_be_empty: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict, repr=False)

    def regions_of(self, values: Iterable[int]) -> list[tuple[str, tuple[int, ...]]]:
        """The regions that values of a volume file make, each with its values.

        Args:
            values: Those of its voxels, without the background's.
        """
        if not self.is_settled:
            return [(self.labels.get(value, f"label {value}"), (value,)) for value in values]
        named: dict[str, list[int]] = {}
        for value in values:
            if value not in self.left_out:
                named.setdefault(self.labels.get(value, f"label {value}"), []).append(value)
        return [(name, tuple(own)) for name, own in named.items()]

    @property
    def visit(self) -> str:
        """As of a series. Never to be shown."""
        return self.made_by.get("ses", "")

    @property
    def is_volume_file(self) -> bool:
        """Whether it is a NIfTI, NRRD or MetaImage file."""
        return is_volume_file(self.path)

    @property
    def is_structure_set(self) -> bool:
        """Whether it is an RTSTRUCT."""
        return not self.is_volume_file and not self.is_segmentation


@dataclass(frozen=True)
class FolderScan:
    """The series and masks of a folder, and findings about the other files.

    Args:
        series: In the order of their first files.
        masks: In the order of their files.
        first_files: Patient key to the number of the patient's first file, in that order. Never to be shown.
        descriptions: Patient key to tissue type and site by `cases.csv`. Never to be shown.
        findings: Files and rows that cannot be used, and why.
        file_count: How many files were looked at.
        choices: Patient key to role to reference of the series that `cases.csv` names. Keys never to be shown.
        left_out: How many DICOM objects that are neither image nor mask there were, by kind: reports, presentation
            states...
        visits: Patient key and visit to tissue type and site, of patients of whom a dataset tells several cases apart.
            Never to be shown.
        former_keys: Patient key to the key of earlier versions, where that was another. Never to be shown.
    """

    series: tuple[FoundSeries, ...]
    masks: tuple[FoundMask, ...]
    first_files: Mapping[str, int] = field(repr=False)
    descriptions: Mapping[str, CaseDescription] = field(repr=False)
    findings: tuple[Finding, ...]
    file_count: int
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    left_out: Mapping[str, int] = field(default_factory=dict)
    visits: Mapping[tuple[str, str], CaseDescription] = field(default_factory=dict, repr=False)
    former_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    def visits_of(self, patient_key: str) -> tuple[str, ...]:
        """The visits of a patient of each of which a case is to be made; () for a patient of one case."""
        return tuple(visit for key, visit in self.visits if key == patient_key)

    @property
    def patient_keys(self) -> tuple[str, ...]:
        """Every patient once; never to be stored or shown."""
        return tuple(self.first_files)

    def patient_reference(self, patient_key: str) -> str:
        """How reports name a patient: by position, with the number of the first file."""
        return f"patient {self.patient_keys.index(patient_key) + 1} (first file: {self.first_files[patient_key]})"
