"""What an ingest is given of a published dataset, and what it says at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from annotation_backend.cases.models import Case, Patient
from annotation_backend.studies.addresses import page_of
from datasets.finding import Finding

if TYPE_CHECKING:
    from curation.scanning.laid_out import LaidOut


@dataclass(frozen=True)
class PublishedSource:
    """The published dataset that an ingest brings in.

    Args:
        laid_out: What it says of its files.
        publication: Layout, title, licence and citation, for the record of the run.
    """

    laid_out: "LaidOut" = field(repr=False)
    publication: Mapping[str, str]


@dataclass
class IngestReport:
    """Result of an ingest.

    Args:
        new: Cases made now.
        known: Cases that were there.
        findings: Everything to tell a person.
        reasons: Of a dry run: patient to a line for each image, why it would be chosen.
        undecided: Patients whose series a person has to choose.
    """

    new: list[Case] = field(default_factory=list)
    known: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    undecided: list[Patient] = field(default_factory=list)

    def name_patients(self, patients: Mapping[str, Patient]) -> None:
        """Calls patients by their codes in the findings, where these call them by their position in the folder."""
        self.findings = [naming(finding, patients) for finding in self.findings]


def position_of(reference: str) -> str:
    """How findings name the patient of a reference, which may name a visit as well."""
    return reference.partition(", ")[0]


def naming(finding: Finding, patients: Mapping[str, Patient]) -> Finding:
    """The finding about a patient's code instead of a position, with the address of the patient's page.

    Args:
        finding: About a patient, a patient's series, or something else, which is left as it is.
        patients: By position, as in findings: ``patient 3 (first file: 17)``.
    """
    position, comma, rest = finding.subject.partition(", ")
    patient = patients.get(position)
    if patient is None:
        return finding
    page = page_of(patient.study, "patient-page", patient.code)
    remedy = finding.remedy if page in finding.remedy else f"{finding.remedy} See {page}."
    return replace(finding, subject=f"{patient.code}{comma}{rest}", remedy=remedy)
