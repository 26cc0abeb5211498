"""Control cases: what data managers mark and see of people, and what a person sees of their own."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_bytes
from annotation_backend.cases.stored.files import picture_file
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.labeling.masks.outlines import BLUE, ORANGE, outlined_png
from annotation_backend.readers.adjudication.readings import volume_of
from annotation_backend.readers.controls.drafts import known_mask
from annotation_backend.readers.controls.marking import end_control, lift, mark, set_share, stages_for_controls
from annotation_backend.readers.models import ControlCase, ControlReading, ControlShare, Pause, StudyAgreement
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from annotation_backend.studies.people import names_in
from annotation_backend.web.spreadsheet import csv_answer
from datasets.errors import RejectedInput

_COLUMNS = (
    *("case", "stage", "person", "handed_in", "dice", "draft_dice", "draft_unchanged", "fault", "fault_slices"),
    *("fault_corrected", "known_from"),
)

MOST_SHOWN = 50


@study_page(Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def controls(request: HttpRequest, study: Study) -> HttpResponse:
    """People and what came of their control cases; the cases, their share among other work, and pauses."""
    refusals: list[RejectedInput] = []
    if request.method == "POST":
        refusals = _done(request, study)
        if not refusals:
            return redirect(page_of(study, "control-list"))
    shares = dict(ControlShare.objects.filter(study=study).values_list("stage", "share"))
    scored = Count("readings", filter=Q(readings__scored_at__isnull=False))
    rows = ControlCase.objects.filter(case__study=study, ended_at=None).select_related("case").annotate(times=scored)
    context = {
        "people": _people(study),
        "stages": [
            {"stage": stage, "share": 100 * shares.get(stage.name, 0.0)} for stage in stages_for_controls(study)
        ],
        "controls": rows,
        "pauses": Pause.objects.filter(study=study, lifted_at=None).select_related("person"),
        "refusals": refusals,
        "codes": request.POST.get("codes", ""),
    }
    return render(request, "readers/controls.html", context, status=409 if refusals else 200)


@study_page(Role.DATA_MANAGER)
@require_GET
def controls_csv(_request: HttpRequest, study: Study) -> StreamingHttpResponse:
    """Each reading of a control case as CSV."""
    names = names_in(study)
    rows = ControlReading.objects.filter(control__case__study=study, scored_at__isnull=False)
    rows = rows.select_related("control__case", "reading").defer("places")
    return csv_answer(f"{study.name}-controls", _COLUMNS, (_line(row, names) for row in rows))


def _line(row: ControlReading, names: Mapping[int, str]) -> list[object]:
    handed_in = row.reading.handed_in_at
    said = [row.fault.get("kind", ""), " ".join(map(str, row.fault.get("slices", [])))]
    return [
        *(row.control.case.code, row.control.stage, names.get(row.reading.person_id, "")),
        *(handed_in.isoformat() if handed_in else "", row.dice, row.draft_dice, row.is_unchanged, *said),
        *(row.is_corrected, row.control.known_from),
    ]


@study_page()
@require_GET
def own_controls(request: HttpRequest, study: Study) -> HttpResponse:
    """A person's own figures, and where their last control cases were wrong, as far as the protocol tells it."""
    person = signed_in_user(request)
    told = {stage.name: stage for stage in study.protocol.steps if stage.gives_feedback}
    rows = ControlReading.objects.filter(
        control__case__study=study, control__stage__in=told, reading__person=person, scored_at__isnull=False
    )
    rows = rows.select_related("control__case", "reading").order_by("-scored_at")[:MOST_SHOWN]
    readings = [{"reading": row, "places": row.places[: told[row.control.stage].hints]} for row in rows]
    context = {
        "figures": [row for row in _people(study) if row["person"] == person.pk],
        "readings": readings,
        "tells": bool(told),
        "pauses": Pause.objects.filter(study=study, person=person, lifted_at=None),
    }
    return render(request, "readers/own_controls.html", context)


@study_page()
@require_GET
def own_picture(request: HttpRequest, study: Study, pk: int, index: int) -> HttpResponse:
    """A place that a person is told of: their own outline in blue, the known one in orange."""
    told = {stage.name: stage.hints for stage in study.protocol.steps if stage.gives_feedback}
    rows = ControlReading.objects.select_related("control__case__study", "mask")
    reading = get_object_or_404(
        rows,
        pk=pk,
        control__case__study=study,
        control__stage__in=told,
        reading__person=signed_in_user(request),
        scored_at__isnull=False,
    )
    if index not in [place["slice"] for place in reading.places[: told[reading.control.stage]]]:
        raise Http404
    case = reading.control.case
    picture = get_object_or_404(case.slices.select_related("case"), role=case.drawn_role, index=index)
    plane, label = picture_plane(case), case.protocol.learned_label.name
    outlines = [(plane.to_picture(known_mask(reading.control).label(label), index), ORANGE)]
    if reading.mask is not None:
        outlines.append((plane.to_picture(volume_of(reading.mask).label(label), index), BLUE))
    return png_answer(request, outlined_png(whole_bytes(picture_file(picture)), outlines))


def _people(study: Study) -> list[Mapping[str, Any]]:
    """What came of people's control cases, as the job worked it out."""
    kept = StudyAgreement.objects.filter(study=study).first()
    titles = {stage.name: stage.title for stage in study.protocol.steps}
    names = names_in(study)
    rows = kept.controls if kept else []
    return [
        {**row, "title": titles.get(row["stage"], row["stage"]), "name": names.get(row["person"], "somebody who left")}
        for row in rows
    ]


def _done(request: HttpRequest, study: Study) -> list[RejectedInput]:
    """Does what a form asks for; the refusals of what could not be done."""
    person, posted = signed_in_user(request), request.POST
    try:
        if posted.get("action") == "share":
            share = posted.get("share", "").replace(",", ".")
            number = float(share) / 100.0 if share.replace(".", "", 1).isdecimal() else -1.0
            set_share(study, posted.get("stage", ""), number, by=person)
        elif posted.get("action") == "end":
            end_control(get_object_or_404(ControlCase, case__study=study, pk=_number(posted.get("control"))), by=person)
        elif posted.get("action") == "lift":
            lift(get_object_or_404(Pause, study=study, pk=_number(posted.get("pause"))), by=person)
        else:
            return _marked(request, study)
    except RejectedInput as error:
        return [error]
    messages.success(request, "Done.")
    return []


def _marked(request: HttpRequest, study: Study) -> list[RejectedInput]:
    person, refusals, count = signed_in_user(request), [], 0
    for code in dict.fromkeys(request.POST.get("codes", "").replace(",", " ").split()):
        case = Case.objects.filter(study=study, code=code).select_related("study").first()
        try:
            if case is None:
                raise RejectedInput("case-unknown", f"The study has no case {code[:20]}.", remedy="Look at its cases.")
            mark(case, request.POST.get("stage", ""), by=person)
            count += 1
        except RejectedInput as error:
            refusals.append(error)
    if count:
        messages.success(request, f"{count} control case{'' if count == 1 else 's'} marked.")
    if not count and not refusals:
        refusals.append(RejectedInput("case-unknown", "No case is named.", remedy="Write codes, such as C0001."))
    return refusals


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 10 else 0
