"""What `cases.csv` says of a case that is there already: tissue type and site, corrected by a later ingest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.db import transaction

from annotation_backend.cases.models import Case
from datasets.finding import Finding, Level
from datasets.study.case import TissueType, annotated_role

if TYPE_CHECKING:
    from curation.pairing.pairing import PatientPair


def take_description(case: Case, pair: "PatientPair") -> Iterator[Finding]:
    """Takes a tissue type and a site that the table says and the record has otherwise.

    What the table does not say is no statement and changes nothing. A type that would have another sequence drawn on is
    taken only where nobody drew.
    """
    site, tissue = pair.anatomical_site, pair.tissue_type
    with transaction.atomic():
        row = Case.objects.select_for_update().get(pk=case.pk)
        if site and site != row.anatomical_site:
            Case.objects.filter(pk=row.pk).update(anatomical_site=site)
            yield _taken(row, "site", "another anatomical site")
        if tissue in (TissueType.UNKNOWN, TissueType(row.tissue_type)):
            return
        if annotated_role(tissue) is not row.annotated_role and row.is_annotated:
            yield _too_late(row, tissue)
            return
        Case.objects.filter(pk=row.pk).update(tissue_type=tissue.value)
    yield _tissue_taken(row, tissue)


def _tissue_taken(case: Case, tissue: TissueType) -> Finding:
    """The new type, and what follows where another sequence is drawn on: pixels are those of the drawn sequence."""
    role = annotated_role(tissue)
    if role is case.annotated_role:
        return _taken(case, "tissue type", tissue.value)
    got = f"{tissue.value}: {role.value.upper()} is drawn on instead of {case.annotated_role.value.upper()}"
    if case.is_registered and not case.labeling_tasks.exists():
        remedy = f"Run `manage.py register_cases --redo --case {case.code}` and `manage.py export_slices`, so that its "
        return _taken(case, "tissue type", got, remedy + f"pixels are those of {role.value.upper()}.")
    if case.is_registered:
        got += ", on the pixels that it was published with"
    return _taken(case, "tissue type", got)


def _taken(case: Case, what: str, got: str, remedy: str = "") -> Finding:
    message = f"Expected the {what} of the earlier ingest, got {got}; it is taken."
    remedy = remedy or "If the case is published, run `manage.py publish_tasks`, so that its tasks show it."
    return Finding(Level.INFO, "description-corrected", message, remedy, case.code)


def _too_late(case: Case, tissue: TissueType) -> Finding:
    kept = case.annotated_role.value.upper()
    message = (
        f"Expected a tissue type that leaves {kept} to be drawn on, as somebody drew there, got {tissue.value}; "
        f"{case.tissue_type} is kept."
    )
    remedy = (
        f"Write {case.tissue_type} into the row again, or exclude {case.code} if it was drawn on the wrong sequence."
    )
    return Finding(Level.WARNING, "tissue-type-too-late", message, remedy, case.code)
