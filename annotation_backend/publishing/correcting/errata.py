"""Errata: a reader reports one, a data manager accepts or declines it; an accepted one opens its case's review."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.publishing.correcting.beside_releases import tell_beside
from annotation_backend.publishing.correcting.marking import mended_by
from annotation_backend.publishing.correcting.steps import step
from annotation_backend.publishing.models import Erratum, ErratumStep, Release, ReleasedCase
from annotation_backend.review.endings import end_by_erratum
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.errata_file import OPEN_STATES, ErratumState
from datasets.release.correcting.erratum_report import ErratumReport, checked_text, reported_case
from datasets.release.correcting.held_volumes import mask_voxels

MOST_OPEN = 20
"""Errata of one case that wait at once: more say nothing new."""


def report(study: Study, said: ErratumReport, *, person: User | None = None) -> Erratum:
    """Keeps what a reader reports about a case of a release; from now on it is listed beside the release.

    Args:
        study: Whose release it is.
        said: The report.
        person: Who reports, or brings in somebody else's document; None for a command.

    Raises:
        RejectedInput: There is no such release (``erratum-release``); what `reported_case` refuses; the patient was
            withdrawn (``erratum-withdrawn``); the same is reported already (``erratum-known``); or very many wait for
            the case (``erratum-many``).
    """
    about = planned_report(study, said)
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)  # two at once would get one number
        _require_new(about.held, said)
        newest = Erratum.objects.filter(study=study).aggregate(Max("number"))["number__max"] or 0
        erratum = Erratum.objects.create(
            study=study,
            number=newest + 1,
            release=about.held.release,
            case=about.held.case,
            code=said.case,
            part=said.part,
            label=said.label,
            slices=list(said.slices),
            text=said.text,
            mask_voxels=about.mask_voxels,
        )
        ErratumStep.objects.create(erratum=erratum, state=ErratumState.REPORTED, person=person)
    tell_beside(study)
    return erratum


@dataclass(frozen=True)
class ReportedCase:
    """The case that a report is about.

    Args:
        held: The case in the release.
        mask_voxels: SHA-256 of the voxels of its mask there.
    """

    held: ReleasedCase
    mask_voxels: str


def planned_report(study: Study, said: ErratumReport) -> ReportedCase:
    """What a report is about; keeps nothing.

    Raises:
        RejectedInput: As `report`.
    """
    release = Release.objects.filter(study=study, name=said.release, version=said.version).first()
    if release is None:
        message = "The study has no release of this name and version."
        raise RejectedInput("erratum-release", message, remedy="Give both as the release's README.md has them.")
    opened = OpenedRelease.in_folder(release.path)
    case = reported_case(said, opened.manifest)
    rows = ReleasedCase.objects.select_related("case__patient", "release")
    held = rows.filter(release=release, code=said.case).first()
    if held is None:
        message = "The case of this code is not known any more."
        raise RejectedInput("erratum-case", message, remedy="Ask the operator for the backup of the database.")
    _require_new(held, said)
    return ReportedCase(held, mask_voxels(opened, case))


def accept(erratum: Erratum, *, person: User | None = None, words: str = "") -> Erratum:
    """Takes an erratum as right: its case's approval ends, and it goes back to review.

    Where a later version has put it right already, nothing is to be done, and the erratum says which.

    Args:
        erratum: Which.
        person: Who says so; None for a command.
        words: What is wrong, for everybody; the reader's own where none are given.

    Raises:
        RejectedInput: It was decided already (``erratum-decided``), or the words are none for everybody.
    """
    said, later = checked_text(words or erratum.text), mended_by(erratum)
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=erratum.case_id)
        step(erratum, ErratumState.ACCEPTED, person=person, words=said)
        if later is not None:
            step(erratum, ErratumState.CORRECTED, person=person, release=later)
        else:
            end_by_erratum(case, why=f"Erratum {erratum.number} of {erratum.release}: {said}"[:200])
    tell_beside(erratum.study)
    return erratum


def decline(erratum: Erratum, *, words: str, person: User | None = None) -> Erratum:
    """Says why an erratum is none; also of an accepted one whose case was looked at again and found to be right.

    Args:
        erratum: Which.
        words: Why, for everybody.
        person: Who says so; None for a command.

    Raises:
        RejectedInput: It was declined, or corrected (``erratum-decided``), or the words are none for everybody.
    """
    said = checked_text(words)
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=erratum.case_id)
        step(erratum, ErratumState.DECLINED, person=person, words=said)
    tell_beside(erratum.study)
    return erratum


def erratum_called(study: Study, number: int) -> Erratum:
    """An erratum of a study by its number.

    Raises:
        RejectedInput: There is none (``erratum-unknown``).
    """
    found = Erratum.objects.filter(study=study, number=number).first() if number < 2**31 else None
    if found is None:
        message = f"The study has no erratum {number}."
        raise RejectedInput("erratum-unknown", message, remedy="The page of errata lists their numbers.")
    return found


def _require_new(held: ReleasedCase, said: ErratumReport) -> None:
    if hasattr(held.case.patient, "withdrawal"):
        message = "The case was withdrawn, and is not corrected any more."
        raise RejectedInput("erratum-withdrawn", message, remedy="Delete its files; the tombstone lists them.")
    waiting = [one for one in Erratum.objects.filter(case=held.case) if one.state in OPEN_STATES]
    for one in waiting:
        if (one.part, one.label, one.slices, one.text) == (said.part, said.label, list(said.slices), said.text):
            message = f"This was reported already, as erratum {one.number}."
            raise RejectedInput("erratum-known", message, remedy="Nothing: it waits.")
    if len(waiting) >= MOST_OPEN:
        message = f"{len(waiting)} errata of this case wait already."
        raise RejectedInput("erratum-many", message, remedy="Wait until they are decided.")
