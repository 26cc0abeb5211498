"""The result of pairing: the chosen series with their reasons, and every series that was considered.

All of it may be shown and stored as it is (`as_dict`), but for the keys and paths that stay out of `repr`: reasons are
Maskloop's own words, series are named by reference, and nothing a person typed is quoted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.scanning.case_table import CaseDescription
from curation.scanning.found_series import FoundMask, FoundSeries
from curation.series.kind import SeriesKind
from datasets.dicom.header import Plane
from datasets.files import sha256_of_bytes
from datasets.finding import Finding
from datasets.study.acquisition import acquisition_of
from datasets.study.case import Consent
from datasets.study.protocol import Protocol
from datasets.study.splits.vendors import vendor_of

Choices = Mapping[str, Mapping[str, str]]
"""Series chosen by a person: patient key to role to the reference of a series."""

_QUESTIONS = re.compile(
    r"ambiguous-\w+|several-studies|different-studies|no-overlap|different-places|no-common-frame|choice-absent"
    r"|patients-mixed|patient-id-placeholder"
    r"|\w+-(?:not-fat-suppressed|not-contrast-enhanced|perhaps-enhanced|not-attenuation-corrected|derived-unsaid)"
)
"""Codes of findings that a person's choice of series settles; those about one role hold its name."""

CHOSEN_BY_PERSON = "chosen by a person"


def spoken(*roles: str) -> str:
    """Roles as findings name them: ``T1, T2 and T1 CONTRAST``."""
    names = [role.upper().replace("_", " ") for role in roles]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


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
            "vendor": vendor_of(self.series.evidence.manufacturer),
            "acquisition": acquisition_of(self.series.evidence),
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
        left_out: Codes of the refusals that keep it from every role; () for a candidate.
        chosen_as: The role it was chosen for, or None.
        number: The scanner's number of it; None where absent.
    """

    reference: str
    kind: SeriesKind
    plane: Plane
    slice_count: int
    scores: Mapping[str, int]
    reasons: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()
    chosen_as: str | None = None
    number: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "reference": self.reference,
            "kind": self.kind.value,
            "plane": self.plane.value,
            "slice_count": self.slice_count,
            "scores": dict(self.scores),
            "reasons": {role: list(reasons) for role, reasons in self.reasons.items()},
            "left_out": list(self.left_out),
            "chosen_as": self.chosen_as,
            "number": self.number,
        }


@dataclass(frozen=True)
class PatientSummary:
    """The series of one patient and whether they made a case.

    Args:
        reference: How reports name the patient: by position in the folder.
        patient_key: Never to be stored or shown.
        considered: Every image series, in the order of the files.
        findings: Why there is no case, or warnings about it.
        has_pair: Whether the patient has every required image.
        visit: Number, from 1, among the patient's cases where a dataset tells several apart; 0 for the whole patient.
    """

    reference: str
    patient_key: str = field(repr=False)
    considered: tuple[ConsideredSeries, ...]
    findings: tuple[Finding, ...]
    has_pair: bool
    visit: int = 0

    @property
    def is_question(self) -> bool:
        """Whether there is no case, and a person's choice of series would make one."""
        return not self.has_pair and any(_QUESTIONS.fullmatch(finding.code) for finding in self.findings)

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
class PatientImages:
    """The images of one patient that make a case.

    Args:
        reference: How reports name the patient: by position in the folder.
        patient_key: Never to be stored or shown.
        protocol: The study's.
        chosen: Role to the series chosen for it, in the protocol's order; an optional image may be missing.
        masks: Masks of any of the series, with their role; None for one that does not name its series.
        description: Tissue type, site and consent by `cases.csv`.
        findings: Warnings about the choice, and masks that are left out.
    """

    reference: str
    patient_key: str = field(repr=False)
    protocol: Protocol = field(repr=False)
    chosen: Mapping[str, SeriesChoice]
    masks: tuple[tuple[str | None, FoundMask], ...]
    description: CaseDescription
    findings: tuple[Finding, ...]

    @property
    def choices(self) -> tuple[SeriesChoice, ...]:
        """The chosen series in the protocol's order."""
        return tuple(self.chosen.values())

    @property
    def tissue_type(self) -> str:
        """The tissue type by `cases.csv`; unknown where it gives none."""
        return self.description.tissue_type

    @property
    def anatomical_site(self) -> str:
        """The anatomical site by `cases.csv`; empty where it gives none."""
        return self.description.anatomical_site

    @property
    def consent(self) -> Consent:
        """The patient's consent by `cases.csv`."""
        return self.description.consent

    @property
    def source_sha256(self) -> str:
        """Digest over all series' digests in the protocol's order; an optional one's stands behind its role's name."""
        required = self.protocol.required
        lines = (
            choice.source_sha256 if role in required else f"{role} {choice.source_sha256}"
            for role, choice in self.chosen.items()
        )
        return sha256_of_bytes("\n".join(lines).encode())


@dataclass(frozen=True)
class Pairing:
    """The images of all patients of a folder that fit together.

    Args:
        pairs: One a patient who has every required image.
        findings: Patients without a case, series that cannot be used, and masks without a patient. Findings about one
            patient's images are in these.
        patients: A summary of every patient, also of those without a case.
    """

    pairs: tuple[PatientImages, ...]
    findings: tuple[Finding, ...]
    patients: tuple[PatientSummary, ...] = ()

    def summary_of(self, patient_key: str) -> PatientSummary:
        """The summary of one patient.

        Raises:
            KeyError: The folder holds no such patient.
        """
        return {patient.patient_key: patient for patient in self.patients}[patient_key]
