"""The result of pairing: the chosen series with their reasons, and every series that was considered.

All of it may be shown and stored as it is (`as_dict`), but for the keys and paths that stay out of `repr`: reasons are
Maskloop's own words, series are named by reference, and nothing a person typed is quoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.scanning.case_table import CaseDescription
from curation.scanning.found_series import FoundMask, FoundSeries
from curation.series.kind import SeriesKind
from datasets.dicom.header import Plane
from datasets.files import sha256_of_bytes
from datasets.finding import Finding
from datasets.study.case import SeriesRole, TissueType

Choices = Mapping[str, Mapping[SeriesRole, str]]
"""Series chosen by a person: patient key to role to the reference of a series."""

QUESTIONS = frozenset(
    {"ambiguous-t1", "ambiguous-t2", "ambiguous-pair", "ambiguous-series", "several-studies", "different-studies",
     "no-overlap", "different-places", "t2-not-fat-suppressed", "choice-absent", "patients-mixed",
     "patient-id-placeholder", "t1-perhaps-enhanced"}
)  # fmt: skip
"""Codes of findings that a person's choice of series settles."""

CHOSEN_BY_PERSON = "chosen by a person"


@dataclass(frozen=True)
class SeriesChoice:
    """The series chosen for a role.

    Args:
        series: The series.
        score: Its points.
        reasons: Why, in plain words, a rule each.
        runner_up: Reference of the next best series of the patient; empty where there was no other.
        runner_up_score: Its points, or None.
        source_sha256: Digest over the digests of the series' files.
        is_by_person: Whether a person chose it; the points did not matter then.
        runner_up_reasons: Reasons for and against the next best.
    """

    series: FoundSeries
    score: int
    reasons: tuple[str, ...]
    runner_up: str
    runner_up_score: int | None
    source_sha256: str
    is_by_person: bool = False
    runner_up_reasons: tuple[str, ...] = ()

    @property
    def lead(self) -> int | None:
        """Points before the runner-up; None where there was none."""
        return None if self.runner_up_score is None else self.score - self.runner_up_score

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, for the record of the choice."""
        return {
            "series": self.series.reference,
            "score": self.score,
            "reasons": list(self.reasons),
            "chosen_by": "person" if self.is_by_person else "rules",
            "runner_up": self.runner_up,
            "runner_up_score": self.runner_up_score,
            "runner_up_reasons": list(self.runner_up_reasons),
            "lead": self.lead,
            "source_sha256": self.source_sha256,
            "frame": sha256_of_bytes(self.series.frame_of_reference.encode()) if self.series.frame_of_reference else "",
        }


@dataclass(frozen=True)
class ConsideredSeries:
    """One series of the folder, its points and whether it was chosen.

    Args:
        reference: Its short name.
        kind: What it is, in Maskloop's own words.
        plane: How its slices lie.
        slice_count: How many.
        scores: Its points for each role.
        reasons: Reasons for and against it in each role.
        left_out: Codes of the refusals that keep it from both roles; () for a candidate.
        chosen_as: The role it was chosen for, or None.
        number: The scanner's number of it; None where absent.
    """

    reference: str
    kind: SeriesKind
    plane: Plane
    slice_count: int
    scores: Mapping[SeriesRole, int]
    reasons: Mapping[SeriesRole, tuple[str, ...]]
    left_out: tuple[str, ...] = ()
    chosen_as: SeriesRole | None = None
    number: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "reference": self.reference,
            "kind": self.kind.value,
            "plane": self.plane.value,
            "slice_count": self.slice_count,
            "scores": {role.value: score for role, score in self.scores.items()},
            "reasons": {role.value: list(reasons) for role, reasons in self.reasons.items()},
            "left_out": list(self.left_out),
            "chosen_as": self.chosen_as.value if self.chosen_as else None,
            "number": self.number,
        }


@dataclass(frozen=True)
class PatientSummary:
    """The series of one patient and whether they made a pair.

    Args:
        reference: How reports name the patient: by position in the folder.
        patient_key: Never to be stored or shown.
        considered: Every image series, in the order of the files.
        findings: Why there is no pair, or warnings about it.
        has_pair: Whether the patient has a pair.
    """

    reference: str
    patient_key: str = field(repr=False)
    considered: tuple[ConsideredSeries, ...]
    findings: tuple[Finding, ...]
    has_pair: bool

    @property
    def is_question(self) -> bool:
        """Whether there is no pair, and a person's choice of series would make one."""
        return not self.has_pair and any(finding.code in QUESTIONS for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "reference": self.reference,
            "has_pair": self.has_pair,
            "is_question": self.is_question,
            "considered": [series.as_dict() for series in self.considered],
            "findings": [finding.as_dict() for finding in self.findings],
        }


@dataclass(frozen=True)
class PatientPair:
    """The T1 and T2 of one patient that make a case.

    Args:
        reference: How reports name the patient: by position in the folder.
        patient_key: Never to be stored or shown.
        t1: The T1.
        t2: The T2.
        masks: Masks of either series.
        description: Tissue type and site by `cases.csv`.
        findings: Warnings about the choice, and masks that are left out.
    """

    reference: str
    patient_key: str = field(repr=False)
    t1: SeriesChoice
    t2: SeriesChoice
    masks: tuple[tuple[SeriesRole | None, FoundMask], ...]
    description: CaseDescription
    findings: tuple[Finding, ...]

    @property
    def by_role(self) -> dict[SeriesRole, SeriesChoice]:
        """Both choices by role."""
        return {SeriesRole.T1: self.t1, SeriesRole.T2: self.t2}

    @property
    def choices(self) -> tuple[SeriesChoice, SeriesChoice]:
        """The chosen T1, then the chosen T2."""
        return self.t1, self.t2

    @property
    def tissue_type(self) -> TissueType:
        """The tissue type by `cases.csv`; unknown where it gives none."""
        return self.description.tissue_type

    @property
    def anatomical_site(self) -> str:
        """The anatomical site by `cases.csv`; empty where it gives none."""
        return self.description.anatomical_site

    @property
    def source_sha256(self) -> str:
        """Digest over both series' digests, T1 first."""
        return sha256_of_bytes(f"{self.t1.source_sha256}\n{self.t2.source_sha256}".encode())


@dataclass(frozen=True)
class Pairing:
    """All pairs of a folder.

    Args:
        pairs: One a patient who has one.
        findings: Patients without a pair, series that cannot be used, and masks without a patient. Findings about one
            pair are in the pair itself.
        patients: A summary of every patient, also of those without a pair.
    """

    pairs: tuple[PatientPair, ...]
    findings: tuple[Finding, ...]
    patients: tuple[PatientSummary, ...] = ()

    def summary_of(self, patient_key: str) -> PatientSummary:
        """The summary of one patient.

        Raises:
            KeyError: The folder holds no such patient.
        """
        return {patient.patient_key: patient for patient in self.patients}[patient_key]
