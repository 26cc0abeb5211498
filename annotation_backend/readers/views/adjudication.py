"""Deciding between readers: the cases that wait, outlines on the pictures, choices by region, preview and saving."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_bytes
from annotation_backend.cases.stored.files import picture_file
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.labeling.masks.outlines import colour_of, outlined_png
from annotation_backend.readers.adjudication.choices import BY_REGION, Choices, chosen_mask, read_choices
from annotation_backend.readers.adjudication.deciding import adjudicate, may_look
from annotation_backend.readers.adjudication.proposals import MOST_REGIONS, proposals_for
from annotation_backend.readers.adjudication.readings import Readings, open_adjudication, readings_for
from annotation_backend.readers.views.agreement import names_of
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from datasets.errors import RejectedInput
from datasets.study.stage import StageWork
from training.adjudication.merging import Rest

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)

COLOURS = ("#339af0", "#f59f00", "#ae3ec9", "#12b886", "#fa5252", "#94d82d")
"""Of readers' outlines by seat; each reader is named beside the picture, too, and can be shown alone."""

PREVIEW = "#ffffff"


@study_page(*READERS)
@require_GET
def adjudication_list(request: HttpRequest, study: Study) -> HttpResponse:
    """The cases in which somebody has to decide between readers."""
    names = [stage.name for stage in study.protocol.steps if stage.does is StageWork.ADJUDICATE]
    rows = CaseStage.objects.filter(case__study=study, stage__in=names, state=StageState.OPEN)
    rows = rows.filter(case__is_rehearsal=False).select_related("case").order_by("opened_at", "pk")
    return render(request, "readers/adjudications.html", {"rows": rows, "is_asked_for": bool(names)})


@study_page(*READERS)
@require_http_methods(["GET", "POST"])
def adjudication(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """One case: readers' outlines, regions in which they differ, choices, preview and the decision."""
    case = get_object_or_404(Case.objects.select_related("study"), study=study, code=code)
    row = open_adjudication(case)
    if row is not None and not may_look(case, row, signed_in_user(request)):
        raise PermissionDenied("Readers' masks are for whoever decides between them, who is none of the readers.")
    if request.method == "GET":
        record(EventKind.PAGE_OPENED, signed_in_user(request), case=case, detail={"page": "adjudication"})
    context: dict[str, Any] = {"case": case, "row": row}
    status = 200
    try:
        readings = readings_for(row) if row is not None else None
        choices = _asked(request, case)
        if request.method == "POST" and request.POST.get("action") == "save":
            correction = adjudicate(case, signed_in_user(request), choices, seen_sha256=request.POST.get("seen", ""))
            messages.success(request, f"{case.code} is decided: version {correction.pk}, with you as its author.")
            return redirect(page_of(study, "adjudication-list"))
    except RejectedInput as error:
        context["refusal"] = error
        status = 409 if request.method == "POST" else 200
        choices, readings = Choices(BY_REGION), _readings_or_none(row)
    if readings is not None:
        context |= _shown(request, readings, choices)
    return render(request, "readers/adjudication.html", context, status=status)


@study_page(*READERS)
@require_GET
def adjudication_picture(request: HttpRequest, study: Study, code: str, role: str, index: int) -> HttpResponse:
    """A slice's picture with readers' outlines, or with that of the mask that follows of choices."""
    case = get_object_or_404(Case.objects.select_related("study"), study=study, code=code)
    row = open_adjudication(case)
    if row is None or not may_look(case, row, signed_in_user(request)):
        raise Http404
    picture = get_object_or_404(case.slices.select_related("case"), role=role, index=index)
    readings, plane = readings_for(row), picture_plane(case)
    chosen = request.GET.get("choices")
    if chosen is None:
        seats = request.GET.getlist("seat")
        volumes = {seat: mask for seat, mask in readings.volumes().items() if not seats or str(seat) in seats}
        shown = [(mask, colour_of(colour_at(seat))) for seat, mask in volumes.items()]
    else:
        shown = [(chosen_mask(readings, read_choices(chosen)), colour_of(PREVIEW))]
    outlines = [
        (plane.to_picture(mask.data, index) == value, colour) for mask, colour in shown for value in mask.labels
    ]
    return png_answer(request, outlined_png(whole_bytes(picture_file(picture)), outlines))


def colour_at(seat: int) -> str:
    """The colour of a seat's outline."""
    return COLOURS[(seat - 1) % len(COLOURS)]


def _asked(request: HttpRequest, case: Case) -> Choices:
    """The choices of a form, of an address, or none."""
    posted = request.POST
    if request.method != "POST":
        return read_choices(request.GET.get("choices", BY_REGION))
    if posted.get("whole"):
        return read_choices(posted["whole"])
    regions = {}
    for name, choice in posted.items():
        value, _, number = name.removeprefix("region-").partition("-")
        if name.startswith("region-") and choice and value.isdecimal() and number.isdecimal():
            regions[int(value), int(number)] = str(choice)
    rest = str(posted.get("rest", Rest.MAJORITY.value))
    return read_choices(Choices(BY_REGION, Rest(rest) if rest in tuple(Rest) else Rest.MAJORITY, regions).word)


def _readings_or_none(row: CaseStage | None) -> Readings | None:
    try:
        return readings_for(row) if row is not None else None
    except RejectedInput:
        return None


def _shown(request: HttpRequest, readings: Readings, choices: Choices) -> dict[str, Any]:
    case, stages = readings.case, {stage.name: stage for stage in readings.case.protocol.steps}
    of = {seat: stages.get(reading.row.stage) for seat, reading in readings.readings.items()}
    rules = readings.row.rules
    readers = []
    for seat, name in readings.names.items():
        stage = of[seat]
        is_blind = stage is None or stage.is_blind or bool(rules and rules.is_blind)
        known = names_of(request, case.study, is_blind=is_blind).get(readings.readings[seat].person_id, "")
        readers.append(
            {"seat": seat, "name": f"{name}{known}", "colour": colour_at(seat), "mask": readings.masks[seat]}
        )
    proposals = proposals_for(readings)
    plane = picture_plane(case)
    return {
        "readers": readers,
        "seen": readings.masks_sha256,
        "proposals": proposals,
        "regions": _regions(proposals.regions, readings, choices) if proposals else [],
        "most_regions": MOST_REGIONS,
        "choices": choices,
        "rests": [(Rest.MAJORITY.value, "as most readers have it"), ("inside", "inside"), ("outside", "outside")],
        "plane": plane,
        "indices": sorted(set(case.slices.values_list("index", flat=True))),
        "is_theirs": may(request, Role.RADIOLOGIST),
    }


def _regions(kept: Mapping[str, list[dict[str, Any]]], readings: Readings, choices: Choices) -> list[dict[str, Any]]:
    """The regions of all labels, largest first, with what can be chosen for each and what is."""
    values = {name: value for value, name in readings.case.protocol.label_names.items()}
    rows = [
        {
            **region,
            "label": label,
            "name": f"region-{values[label]}-{region['number']}",
            "volume_ml": region["volume_mm3"] / 1000.0,
            "options": [
                {"value": "inside", "words": f"Inside, as {_list(region['inside'], readings)}"},
                {"value": "outside", "words": f"Outside, as {_list(region['outside'], readings)}"},
                *({"value": str(seat), "words": name} for seat, name in readings.names.items()),
            ],
            "chosen": choices.regions.get((values[label], region["number"]), ""),
        }
        for label, regions in kept.items()
        if label in values
        for region in regions
    ]
    return sorted(rows, key=lambda row: -row["volume_mm3"])


def _list(seats: list[str], readings: Readings) -> str:
    return ", ".join(readings.names.get(int(seat), f"Reader {seat}") for seat in seats) or "nobody"
