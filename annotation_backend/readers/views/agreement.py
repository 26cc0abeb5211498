"""Agreement of readers: over the study, case by case and slice by slice, and as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case
from annotation_backend.readers.agreement.summary import CLOSED, EVERYTHING
from annotation_backend.readers.agreement.verdicts import differing_verdicts
from annotation_backend.readers.models import PairAgreement, StudyAgreement
from annotation_backend.stages.hiding import is_read_now
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.studies.people import names_in
from annotation_backend.web.spreadsheet import csv_answer

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)

ON_A_PAGE = 50

_READ = (
    *("label", "dice", "surface_dice_1mm", "hd95_mm", "volume_ml", "other_volume_ml", "by_slice"),
    *("row__stage", "row__round", "row__case__code", "row__case__patient__code"),
    *("first__reading__seat", "first__reading__person_id", "second__reading__seat", "second__reading__person_id"),
)
"""What the pages show of a pair; cases and masks are wide rows."""

_COLUMNS = (
    *("case", "patient", "stage", "round", "first", "second", "label", "slice", "dice", "surface_dice_1mm"),
    *("hd95_mm", "volume_ml", "other_volume_ml"),
)


@study_page(*READERS)
@require_GET
def agreement(request: HttpRequest, study: Study) -> HttpResponse:
    """How far a study's readers agree, with intervals by patient, and the pairs of masks that it comes from."""
    kept = StudyAgreement.objects.filter(study=study).first()
    part = EVERYTHING if may(request, Role.DATA_MANAGER) else CLOSED
    content = kept.content.get(part, {}) if kept else {}
    keys = _pairs(request, study).order_by("-row_id", "pk").values_list("pk", flat=True)
    page = Paginator(keys, ON_A_PAGE).get_page(request.GET.get("page"))
    pairs = _pairs(request, study).filter(pk__in=list(page)).defer("by_slice").order_by("-row_id", "pk")
    context = {
        "made_at": kept.made_at if kept and part == EVERYTHING else None,
        "masks": [_titled(study, row) for row in content.get("masks", [])],
        "scores": [_with_people(request, study, row) for row in content.get("scores", [])],
        "rows": [_row(request, study, pair) for pair in pairs],
        "page": page,
        "verdicts": differing_verdicts(study, shows_open=may(request, Role.DATA_MANAGER)),
        "names": names_in(study),
    }
    return render(request, "readers/agreement.html", context)


@study_page(*READERS)
@require_GET
def agreement_of_case(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """How far the readers of one case agree, slice by slice."""
    case = get_object_or_404(Case, study=study, code=code)
    pairs = _pairs(request, study).filter(row__case=case)
    context = {"case": case, "rows": [_row(request, study, pair) for pair in pairs]}
    return render(request, "readers/agreement_case.html", context)


@study_page(*READERS)
@require_GET
def agreement_csv(request: HttpRequest, study: Study) -> StreamingHttpResponse:
    """Every figure as CSV: a row for each pair of masks and label, and one for each of its slices."""
    rows = (line for pair in _pairs(request, study) for line in _lines(pair, _row(request, study, pair)))
    return csv_answer(f"{study.name}-agreement", _COLUMNS, rows)


def _pairs(request: HttpRequest, study: Study) -> QuerySet[PairAgreement]:
    """The figures that hold now and that a person may see: of a blind stage that is open, also in a later round, only a
    data manager."""
    rows = PairAgreement.objects.filter(row__case__study=study, is_current=True)
    if not may(request, Role.DATA_MANAGER):
        blind = [stage.name for stage in study.protocol.steps if stage.is_blind]
        rows = rows.exclude(Q(row__stage__in=blind) & is_read_now())
    return rows.select_related("row__case__patient", "first__reading", "second__reading").only(*_READ)


def _row(request: HttpRequest, study: Study, pair: PairAgreement) -> dict[str, Any]:
    """A pair with its readers' names as the person may see them."""
    stage = next((one for one in study.protocol.steps if one.name == pair.row.stage), None)
    names = names_of(request, study, is_blind=stage is None or stage.is_blind)
    people = [mask.reading for mask in (pair.first, pair.second)]
    first, second = (f"Reader {one.seat}{names.get(one.person_id, '')}" if one is not None else "?" for one in people)
    return {"pair": pair, "stage": stage.title if stage else pair.row.stage, "first": first, "second": second}


def names_of(request: HttpRequest, study: Study, *, is_blind: bool) -> Mapping[int, str]:
    """What follows a reader's seat, by person: their name for a data manager and where a stage is not blind."""
    if is_blind and not may(request, Role.DATA_MANAGER):
        return {}
    if not hasattr(request, "reader_names"):
        request.reader_names = {key: f" ({name})" for key, name in names_in(study).items()}  # type: ignore[attr-defined]
    return request.reader_names  # type: ignore[attr-defined]


def _titled(study: Study, row: Mapping[str, Any]) -> dict[str, Any]:
    titles = {stage.name: stage.title for stage in study.protocol.steps}
    return {**row, "title": titles.get(row["stage"], row["stage"])}


def _with_people(request: HttpRequest, study: Study, row: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's kappas with what its readers are called: letters, where the person may not know who is who."""
    stage = next((one for one in study.protocol.steps if one.name == row["stage"]), None)
    names = names_of(request, study, is_blind=stage is None or stage.is_blind)
    people = sorted({person for pair in row["pairs"] for person in pair["people"]})
    called = {person: f"Reader {chr(65 + at % 26)}{names.get(person, '')}" for at, person in enumerate(people)}
    pairs = [{**pair, "names": " and ".join(called[person] for person in pair["people"])} for pair in row["pairs"]]
    return {**_titled(study, row), "pairs": pairs}


def _lines(pair: PairAgreement, row: Mapping[str, Any]) -> Iterator[list[Any]]:
    of = [pair.row.case.code, pair.row.case.patient.code, pair.row.stage, pair.row.round]
    of += [row["first"], row["second"], pair.label]
    whole = [pair.dice, pair.surface_dice_1mm, pair.hd95_mm, pair.volume_ml, pair.other_volume_ml]
    yield [*of, "", *whole]
    for index, figures in pair.slices:
        yield [*of, index, *figures, "", ""]
