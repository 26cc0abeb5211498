"""The cohort's report: patients, chosen and refused series with the reasons, registrations, small pictures.

It names patients and cases by their codes and series by their short names; there is nothing else of a patient in it.
"""

import base64
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Case as Choice
from django.db.models import Count, Exists, OuterRef, QuerySet, Value, When
from django.template.loader import render_to_string
from django.utils import timezone

from annotation_backend.cases.models import (
    Case,
    Ingest,
    IngestOutcome,
    IngestPatient,
    Registration,
    Slice,
    VerdictOfRegistration,
    published_sources,
)
from annotation_backend.cases.models.case import CaseQuerySet
from annotation_backend.cases.stored.digests import DamagedFile, as_findings, damages, whole_bytes
from annotation_backend.cases.stored.files import thumbnail_file, thumbnails
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from datasets.files import write_bytes

NOT_CHECKED = "Not checked"
_VERDICTS = [*VerdictOfRegistration.choices, ("", NOT_CHECKED)]
_STYLE = Path(__file__).parent.parent / "static" / "maskloop" / "maskloop.css"


@dataclass(frozen=True)
class ReportCase:
    """One case in the report.

    Args:
        case: With its images, series and exclusions.
        state: How far it came, in a word or two.
        findings: Findings about it.
        chosen: Per role: reasons and runner-up.
        pictures: Kind to the picture's address.
    """

    case: Case
    state: str
    findings: list[dict[str, str]]
    chosen: list[tuple[str, dict[str, Any]]]
    pictures: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class CohortReport:
    """Everything in the report.

    Args:
        ingest: The last one; None before the first.
        outcomes: Number of patients of the last ingest by outcome; of their cases where a source tells several apart.
        verdicts: Effective verdicts on the registrations of cases in use, in numbers.
        sources: The published datasets that came in, with licence and citation.
        cases: All cases, excluded ones too.
        without_case: Newest ingest record of each patient without a case.
    """

    ingest: Ingest | None
    outcomes: dict[str, int]
    verdicts: dict[str, int]
    sources: list[dict[str, str]]
    cases: list[ReportCase]
    without_case: list[IngestPatient]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "outcomes": self.outcomes,
            "verdicts": self.verdicts,
            "sources": self.sources,
            "cases": {
                row.case.code: {"state": row.state, "findings": [finding["code"] for finding in row.findings]}
                for row in self.cases
            },
            "without_case": {
                row.patient.code: {
                    "outcome": row.outcome,
                    "findings": [finding["code"] for finding in row.findings],
                    "considered": len(row.considered),
                }
                for row in self.without_case
            },
        }


def reported_cases(study: Study) -> CaseQuerySet:
    """The cases of a study's report, excluded ones too."""
    return Case.objects.filter(study=study, is_rehearsal=False)


def cohort(
    study: Study,
    *,
    source: Callable[[Case, str], str | None] | None = None,
    only: Collection[int] | None = None,
) -> CohortReport:
    """Gathers a study's report, in a few queries however large its cohort is.

    Args:
        study: The study.
        source: Gives the address of a case's small picture of a kind; None for the pages' own addresses.
        only: Keys of the cases that are listed; None for all. The numbers are of all in any case.
    """
    last_seen = IngestPatient.objects.filter(ingest__study=study).newest().select_related("patient")
    cases = reported_cases(study).select_related("study", "patient")
    cases = cases.prefetch_related("registrations", "series__case__study", "exclusions", "damages")
    cases = cases.annotate(has_pictures=Exists(Slice.objects.filter(case=OuterRef("pk"))))
    if only is not None:
        cases = cases.filter(pk__in=only)
    seen = last_seen.filter(case__isnull=False) if only is None else last_seen.filter(case__in=only)
    said = {row.case_id: row for row in seen}
    ingest = Ingest.objects.filter(study=study).last()
    outcomes = _counted(ingest.patients.order_by().values_list("outcome"), "pk") if ingest else {}
    verdicts = _verdicts(study)
    without = last_seen.filter(~Exists(Case.objects.filter(patient=OuterRef("patient"), is_rehearsal=False)))
    return CohortReport(
        ingest=ingest,
        outcomes={label: outcomes[value] for value, label in IngestOutcome.choices if value in outcomes},
        verdicts={label: verdicts[value] for value, label in _VERDICTS if value in verdicts},
        sources=published_sources(study),
        cases=[_report_case(case, said.get(case.pk), source or _page_source) for case in cases],
        without_case=list(without.order_by("patient__code", "visit")),
    )


def _verdicts(study: Study) -> dict[str, int]:
    """Cases in use by the worst verdict on their registrations (`registration_verdict`), counted by the database."""
    rows = Registration.objects.filter(case=OuterRef("pk"))
    worst = (VerdictOfRegistration.REJECT.value, VerdictOfRegistration.LOOK.value, "")
    conditions = [When(Exists(rows.filter(verdict=one)), then=Value(one)) for one in worst]
    default = Value(VerdictOfRegistration.ACCEPT.value)
    here = reported_cases(study).not_excluded().exclude(images_sha256="").order_by()
    return _counted(here.annotate(worst=Choice(*conditions, default=default)).values_list("worst"), "pk")


def _counted(rows: QuerySet[Any, Any], field: str) -> dict[str, int]:
    """How many rows there are of each value."""
    return dict(rows.annotate(count=Count(field)))


def write_report(study: Study, folder: Path) -> tuple[Path, CohortReport]:
    """Writes the report as one HTML file that needs nothing else.

    Returns:
        The file and its content.
    """
    report = cohort(study, source=_embedded)
    context = {
        "report": report,
        "study": study,
        "site": settings.MASKLOOP_URL,
        "style": _STYLE.read_text(),
        "made": timezone.now(),
    }
    path = folder / "cohort.html"
    write_bytes(path, render_to_string("cases/report_file.html", context).encode())
    return path, report


def _report_case(case: Case, seen: IngestPatient | None, source: Callable[[Case, str], str | None]) -> ReportCase:
    pictures = {kind: address for kind in thumbnails(case) if (address := source(case, kind))}
    chosen = [(series.title, series.evidence) for series in case.series.all()]
    page = {"page": page_of(case.study, "case-page", case.code)}
    findings = [finding | page for finding in (seen.findings if seen else case.findings)]
    findings += [*_failed_checks(case), *(damage | page for damage in as_findings(damages(case)))]
    return ReportCase(case, _state(case), findings=findings, chosen=chosen, pictures=pictures)


def _failed_checks(case: Case) -> Iterable[dict[str, str]]:
    page = page_of(case.study, "registration-page", case.code)
    for registration in case.registrations.all():
        for check in registration.checks:
            if check.get("verdict") != VerdictOfRegistration.ACCEPT:
                yield {"code": str(check.get("code")), "message": str(check.get("message")), "page": page}


def _state(case: Case) -> str:
    if case.exclusion is not None:
        return "excluded"
    if not case.is_registered:
        return "not registered"
    if case.registration_verdict in (VerdictOfRegistration.LOOK, VerdictOfRegistration.REJECT):
        return "to be looked at" if case.registration_verdict == VerdictOfRegistration.LOOK else "rejected"
    return "exported" if getattr(case, "has_pictures", False) else "registered"


def _page_source(case: Case, kind: str) -> str:
    return page_of(case.study, "case-thumbnail", case.code, kind)


def _embedded(case: Case, kind: str) -> str | None:
    """The picture itself; None for a damaged one, which is among the findings."""
    try:
        content = whole_bytes(thumbnail_file(case, kind))
    except DamagedFile:
        return None
    return "data:image/png;base64," + base64.b64encode(content).decode()
