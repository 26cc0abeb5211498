"""Jobs that a save or a publication starts, and that no request waits for. Each is safe to run twice."""

import logging

from django_tasks import task

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_later
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.predictions.automatic import draw_automatically
from annotation_backend.labeling.predictions.predictions import push_predictions
from annotation_backend.labeling.project.addresses import renew_all_addresses
from annotation_backend.labeling.project.publish import show_addresses
from annotation_backend.labeling.project.task_states import mirror_states
from annotation_backend.labeling.saves.confirm import PATIENCE, confirm_saves
from annotation_backend.labeling.signals import saves_settled
from annotation_backend.labeling.studio.shown_predictions import hide_predictions
from annotation_backend.labeling.studio_server.accounts import close_account
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.decoded_masks import decode_missing
from annotation_backend.labeling.versions.doubts import note_doubts
from annotation_backend.labeling.versions.losses import note_losses
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.stages.flow import follow
from annotation_backend.stages.hiding import drawn_without_models
from annotation_backend.stages.models import Reading
from annotation_backend.studies.models import Study

logger = logging.getLogger(__name__)


@task()
def assemble_case(*, case_code: str) -> int | None:
    """Works through a case's new saves: confirms and decodes them, notes losses and doubts, assembles the mask.

    Saves of an excluded case are kept and asked about like others, but no mask is made of them until it is taken back.
    """
    case = _case(case_code)
    if case is None:
        return None
    if confirm_saves(case):
        queue_later(assemble_case, case_code=case_code, after=PATIENCE)
    decode_missing(case)
    note_losses(case)
    note_doubts(case)
    mask = assemble(case) if case.exclusion is None else None
    for reading in Reading.objects.filter(row__case=case, annotations__isnull=False).distinct():
        assemble(case, reading)
    follow(case, standing_of(case).drawn)
    saves_settled.send(sender=CaseMask, case=case)
    mirror_states(case)
    return mask.pk if mask else None


@task()
def predict_case(*, case_code: str) -> int:
    """Draws on the case's tasks that nobody submitted and pushes the predictions to Label Studio."""
    case = _case(case_code)
    return push_predictions(case) if case else 0


@task()
def draw_stage(*, case_code: str) -> int | None:
    """Draws a case that waits in a stage that a model does; nothing where no model draws by itself yet."""
    case = _case(case_code)
    correction = draw_automatically(case) if case else None
    return correction.pk if correction else None


@task()
def hide_case_predictions(*, case_code: str) -> int:
    """Empties the predictions on a case's tasks, because it is drawn by hand or blind now."""
    case = _case(case_code)
    if case is None or not drawn_without_models([case]):
        return 0
    tasks = list(LabelingTask.objects.filter(case=case, project__is_retired=False, drawn_by__isnull=False))
    for each in tasks:
        hide_predictions(each)
        LabelingTask.objects.filter(pk=each.pk).update(drawn_by=None)
    return len(tasks)


@task()
def mirror_case_states(*, case_code: str) -> int:
    """Brings the case's states to Label Studio, where the annotators' tabs filter by them."""
    case = _case(case_code)
    return mirror_states(case) if case else 0


@task()
def follow_exclusion(*, case_code: str) -> int:
    """Hides an excluded case's tasks, or shows them again with the new addresses of their pictures."""
    case = _case(case_code)
    if case is None:
        return 0
    if case.exclusion is None:
        renewed = show_addresses(case)
        logger.info("%d tasks of %s show their pictures again", renewed, case)
    return mirror_states(case)


@task()
def renew_addresses(*, study: str) -> int:
    """Ends the addresses of the pictures of a study, or of all where none is named."""
    return renew_all_addresses(Study.objects.get(name=study) if study else None)


@task()
def close_studio_account(*, person: int) -> list[str]:
    """Closes a person's account in Label Studio, unless theirs was opened again here meanwhile; what stayed open."""
    found = User.objects.get(pk=person)
    return [] if found.is_active else [str(finding) for finding in close_account(found)]


def _case(code: str) -> Case | None:
    """The case, or None where it was removed after the job was queued."""
    case = Case.objects.filter(code=code).first()
    if case is None:
        logger.warning("%s is gone; its job has nothing to do", code)
    return case
