"""Stages that a model does by itself: it draws the whole case, and what it drew counts as a version of the model's."""

import logging

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import is_exported
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.initial_masks import imported_mask_for, initial_masks
from annotation_backend.labeling.interface.project_settings import answering_model
from annotation_backend.labeling.models import Correction, CorrectionKind, LabelingTask
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.registry.model_registry import first_label
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.stages.flow import finish, open_rows
from annotation_backend.stages.models import CaseStage
from curation.slices.assembly import assemble_labels
from datasets.errors import RejectedInput
from training.table.table import method_called

logger = logging.getLogger(__name__)


def automatic_row(case: Case) -> CaseStage | None:
    """The open stage of a case that a model does; None where it is in none."""
    return next((row for row in open_rows(case) if row.rules and row.rules.is_automatic), None)


def draw_automatically(case: Case) -> Correction | None:
    """Draws a case that is in an automatic stage, keeps the mask as a version of the model's, and ends the stage.

    Where no model draws, or the case is not ready for one, the stage waits; `why_it_waits` says for what.

    Args:
        case: Any case; one in no such stage is left alone.

    Raises:
        RejectedInput: The case's files were changed, or the model cannot be loaded.
    """
    row = automatic_row(case)
    model = _model_for(case)
    if row is None or model is None or case.exclusion is not None or not is_exported(case):
        return None
    indices = sorted(set(case.slices.values_list("index", flat=True)))
    drawn = initial_masks(case, indices, model=model)
    label = first_label(case.study)
    slices = ((prediction.index, {label: prediction.mask}) for prediction in drawn)
    mask = assemble_labels(slices, picture_plane(case), labels=case.protocol.label_names).mask
    row = automatic_row(case)
    if row is None:
        return None  # another worker was faster
    correction = correct(case, mask, kind=CorrectionKind.AUTOMATIC, row=row, model=model, base=standing_of(case).mask)
    finish(row, why=f"drawn by {model}")
    logger.info("%s drew %s", model, case)
    return correction


def why_it_waits(case: Case) -> RejectedInput | None:
    """Why a case waits in an automatic stage, with what to do; None where it is in none, or is about to be drawn."""
    row = automatic_row(case)
    if row is None or case.exclusion is not None:
        return None
    title = row.rules.title if row.rules else row.stage
    if not LabelingTask.objects.filter(case=case).exists():
        return RejectedInput(
            "automatic-unpublished",
            f"{title}: its slices are not published yet.",
            remedy="Run `manage.py publish_tasks`.",
        )
    if _model_for(case) is None:
        return RejectedInput(
            "automatic-no-model",
            f"{title}: no model of this study draws this case without a prompt yet, so it waits.",
            remedy="Promote one for automatic masks on the page of models, or with "
            f"`manage.py promote_model <name> --for automatic --study {case.study}`; the case is then drawn at once.",
        )
    if not is_exported(case):
        return RejectedInput(
            "automatic-pictures-behind",
            f"{title}: its pictures show an earlier registration.",
            remedy=f"Run `manage.py export_slices --case {case.code}`.",
        )
    return None


def _model_for(case: Case) -> Model | None:
    """The study's model that draws the case without a prompt; None where there is none.

    One that draws around a contour does so where one came with the studies: its empty mask would be nobody's answer.
    """
    task = LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("project__study").first()
    if task is None or case.protocol.prompted_label is None:
        return None
    try:
        model = answering_model(task.project, PromptKind.AUTOMATIC)
    except RejectedInput:
        return None
    needs_contour = method_called(model.method).needs_contour
    return None if needs_contour and imported_mask_for(model, case) is None else model
