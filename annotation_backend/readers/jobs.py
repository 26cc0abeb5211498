"""Jobs that no request waits for: readers' figures, proposals, how control cases went. Each is safe to run twice."""

import logging

from django_tasks import task

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.predictions.own_predictions import show_to
from annotation_backend.readers.adjudication.proposals import make_proposals
from annotation_backend.readers.adjudication.readings import readings_for
from annotation_backend.readers.agreement.pairs import compare_pairs
from annotation_backend.readers.agreement.summary import summarise
from annotation_backend.readers.controls.drafts import draft_mask
from annotation_backend.readers.controls.giving import plant_in
from annotation_backend.readers.controls.scoring import pause_if_due, score
from annotation_backend.readers.controls.summary import summarise_controls
from annotation_backend.readers.models import ControlReading, PairAgreement
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from datasets.errors import MaskloopError

logger = logging.getLogger(__name__)


@task()
def compare_readings(*, row: int) -> int:
    """Compares the masks of a stage's readers; returns how many figures hold now."""
    found = CaseStage.objects.filter(pk=row).select_related("case__study").first()
    if found is None:
        return 0
    current = PairAgreement.objects.filter(row=found, is_current=True)
    before = set(current.values_list("pk", flat=True))
    try:
        pairs = compare_pairs(found)
    except MaskloopError as error:
        logger.warning("the readers of %s are not compared: %s", found, error)
        return 0
    if {pair.pk for pair in pairs} != before:
        queue_once(summarise_agreement, study=found.case.study.name)
    return len(pairs)


@task()
def summarise_agreement(*, study: str) -> None:
    """Works out a study's agreement anew."""
    found = Study.objects.filter(name=study).first()
    if found is not None:
        summarise(found)


@task()
def prepare_adjudication(*, row: int) -> int | None:
    """Works out where readers differ and what is proposed of their masks, for whoever decides between them."""
    found = CaseStage.objects.filter(pk=row).select_related("case__study").first()
    if found is None or not found.is_open:
        return None
    try:
        return make_proposals(readings_for(found)).pk
    except MaskloopError as error:
        logger.warning("nothing is proposed for %s: %s", found, error)
        return None


@task()
def show_draft(*, control_reading: int) -> int:
    """Shows a person the draft of a control case in Label Studio, as predictions that nobody else sees.

    Made here where it was given beside other work: who gives out a thousand pieces does not wait for drafts.
    """
    reading = _control_reading(control_reading)
    if reading is not None and not reading.draft_file and reading.reading.handed_in_at is None and plant_in(reading):
        reading.save()
    draft = draft_mask(reading) if reading is not None else None
    if reading is None or draft is None:
        return 0
    case = reading.control.case
    plane, labels = picture_plane(case), case.protocol.label_names
    tasks = LabelingTask.objects.filter(case=case, slice_index__in=reading.slices, project__is_retired=False)
    drawn = []
    for of in tasks.filter(label_studio_id__gt=0).select_related("project__study"):
        picture = plane.to_picture(draft.data, of.slice_index)
        drawn.append((of, {name: picture == value for value, name in labels.items()}))
    return show_to(reading.reading.person, drawn)


@task()
def score_control(*, control_reading: int) -> None:
    """Looks at what was handed in of a control case, and pauses a person where the protocol says so."""
    reading = _control_reading(control_reading)
    if reading is None or reading.reading.handed_in_at is None:
        return
    try:
        pause_if_due(score(reading))
    except MaskloopError as error:
        logger.warning("%s is not looked at: %s", reading, error)
        return
    queue_once(summarise_control_cases, study=reading.control.case.study.name)


@task()
def summarise_control_cases(*, study: str) -> int:
    """Works out what came of a study's control cases anew."""
    found = Study.objects.filter(name=study).first()
    return len(summarise_controls(found)) if found is not None else 0


def _control_reading(key: int) -> ControlReading | None:
    rows = ControlReading.objects.select_related("control__case__study", "reading__person", "reading__row__case__study")
    return rows.filter(pk=key).first()
