"""Jobs: what a save or a publication starts and no request waits for. Each is safe to run twice."""

import logging

from django_tasks import task

from annotation_backend.cases.models import Case
from annotation_backend.labeling.assembly import assemble
from annotation_backend.labeling.predictions import push_predictions
from annotation_backend.labeling.states import mirror_states

logger = logging.getLogger(__name__)


@task()
def assemble_case(*, case_code: str) -> int | None:
    """Assembles the case's mask from its newest saves and mirrors the tasks' states to Label Studio."""
    case = Case.objects.get(code=case_code)
    mask = assemble(case)
    mirror_states(case)
    return mask.pk if mask else None


@task()
def predict_case(*, case_code: str) -> int:
    """Draws on the case's tasks that nobody submitted and pushes the predictions to Label Studio."""
    return push_predictions(Case.objects.get(code=case_code))


@task()
def mirror_case_states(*, case_code: str) -> int:
    """Brings the case's states to Label Studio, where the annotators' tabs filter by them."""
    return mirror_states(Case.objects.get(code=case_code))
