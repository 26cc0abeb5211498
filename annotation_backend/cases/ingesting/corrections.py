"""Corrections of a known case: a later ingest takes tissue type, anatomical site and consent from `cases.csv`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.db import transaction

from annotation_backend.cases.models import Case, title_of
from datasets.finding import Finding, Level
from datasets.study.case import Consent
from datasets.study.protocol import UNKNOWN_TISSUE

if TYPE_CHECKING:
    from curation.pairing.pairing import PatientImages


def take_description(case: Case, pair: "PatientImages") -> Iterator[Finding]:
    """Takes the table's tissue type, anatomical site and consent where the case's record differs.

    An empty cell changes nothing. A tissue type that would have annotators draw on another image is taken only if
    nobody has drawn on the case.
    """
    site, tissue = pair.anatomical_site, pair.tissue_type
    with transaction.atomic():
        row = Case.objects.select_for_update().get(pk=case.pk)
        if site and site != row.anatomical_site:
            Case.objects.filter(pk=row.pk).update(anatomical_site=site)
            yield _taken(row, "The anatomical site is changed to the one in the table.")
        if pair.consent and pair.consent != row.consent:
            Case.objects.filter(pk=row.pk).update(consent=pair.consent)
            yield _consent_taken(row, pair.consent)
        if tissue in (UNKNOWN_TISSUE, row.tissue_type):
            return
        if row.protocol.drawn_role(tissue) != row.drawn_role and row.is_annotated:
            yield _too_late(row, tissue)
            return
        Case.objects.filter(pk=row.pk).update(tissue_type=tissue)
    yield _tissue_taken(row, tissue)


def _tissue_taken(case: Case, tissue: str) -> Finding:
    """Says what follows from the new type: if annotators draw on another image, its pixels set the case's grid."""
    role = case.protocol.drawn_role(tissue)
    if role == case.drawn_role:
        return _taken(case, f"The tissue type is changed to {tissue}.")
    message = (
        f"The tissue type is changed to {tissue}: {title_of(case, role)} is drawn on instead of "
        f"{title_of(case, case.drawn_role)}"
    )
    if case.is_registered and not case.is_published:
        remedy = f"Run `manage.py register_cases --redo --case {case.code}` and `manage.py export_slices`, so that its "
        return _taken(case, f"{message}.", remedy + f"pixels are those of {title_of(case, role)}.")
    if case.is_registered:
        message += ", on the pixels that it was published with"
    return _taken(case, f"{message}.")


def _consent_taken(case: Case, consent: Consent) -> Finding:
    if consent is Consent.GIVEN:
        return _taken(case, "The consent is changed to yes.", "Nothing needs doing.")
    remedy = "Nothing, if that is right: from the next version of a release on, the case is named as withdrawn there."
    return _taken(case, "The consent is changed to no; the case goes into no release any more.", remedy)


def _taken(case: Case, message: str, remedy: str = "") -> Finding:
    remedy = remedy or "If the case is published, run `manage.py publish_tasks`, so that its tasks show it."
    return Finding(Level.INFO, "description-corrected", message, remedy, case.code)


def _too_late(case: Case, tissue: str) -> Finding:
    kept = title_of(case, case.drawn_role)
    message = (
        f"Somebody has drawn on {kept} already, and with the tissue type {tissue} another sequence would be "
        f"drawn on; {case.tissue_type} is kept."
    )
    remedy = (
        f"Write {case.tissue_type} into the row again, or exclude {case.code} if it was drawn on the wrong sequence."
    )
    return Finding(Level.WARNING, "tissue-type-too-late", message, remedy, case.code)
