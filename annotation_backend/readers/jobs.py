"""Jobs that no request waits for: readers' figures, proposals, and how control cases went. Each is safe to run twice."""

import logging

from django_tasks import task

from annotation_backend.job_queue import queue_once
from annotation_backend.readers.adjudication.proposals import make_proposals
from annotation_backend.readers.adjudication.readings import readings_for
from annotation_backend.readers.agreement.pairs import compare_pairs
from annotation_backend.readers.agreement.summary import summarise
from annotation_backend.readers.models import PairAgreement
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
