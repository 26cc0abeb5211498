"""The orders in which work comes to people, each with words that say why a case is next."""

from typing import Any

from django.db import models
from django.db.models import Avg, F, OuterRef, QuerySet, Subquery, Value

from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.initial_masks import inputs_of
from annotation_backend.inference.serving.serving import promoted_model
from annotation_backend.labeling.interface.project_settings import last_settings
from annotation_backend.registry.model_registry import find_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from annotation_backend.work.models import ComparedMasks, Disagreement
from datasets.errors import RejectedInput


class Order(models.TextChoices):
    """What comes first."""

    PATIENT = "patient", "one patient after the other"
    UNCERTAINTY = "uncertainty", "where the model is least sure"
    DISAGREEMENT = "disagreement", "where masks agree least"


def in_order(rows: QuerySet[CaseStage], order: Order, *, study: Study) -> QuerySet[CaseStage]:
    """Stages of cases in an order, with `estimate`; cases of which nothing is known for it come last, by patient.

    Args:
        rows: Open stages of the study.
        order: The order; of the model that serves the estimate of its own masks' quality counts, averaged over the
            slices that it drew of a case as it is now.
        study: Whose stages they are.
    """
    by_patient = ("case__patient__code", "case__code", "pk")
    if order is Order.PATIENT:
        return rows.order_by(*by_patient)
    if order is Order.UNCERTAINTY:
        estimate: Any = _mean_score(study)
    else:
        measured = Disagreement.objects.filter(case=OuterRef("case"))
        estimate = Subquery(measured.values("dice")[:1])
        rows = rows.annotate(between=Subquery(measured.values("between")[:1]))
    return rows.annotate(estimate=estimate).order_by(F("estimate").asc(nulls_last=True), *by_patient)


def why_next(row: CaseStage, order: Order) -> str:
    """Why a stage of `in_order` is next, in words."""
    patient = row.case.patient.code
    if order is Order.PATIENT:
        return f"Next in the order of patients: {patient}"
    estimate = getattr(row, "estimate", None)
    if order is Order.UNCERTAINTY:
        if estimate is None:
            return f"No model estimated its masks of the cases that are left; in the order of patients: {patient}"
        return f"The model is least sure here: it puts the quality of its masks at {estimate:.2f} of 1"
    if row.rules is not None and row.rules.draws and row.rules.is_blind:
        return "In the order of how little masks agree; how far is not told while the case is read blind"
    if estimate is None:
        return f"No two masks of the cases that are left were compared; in the order of patients: {patient}"
    return f"Masks agree least here: Dice {estimate:.2f} between {ComparedMasks(row.between).label}"  # type: ignore[attr-defined]


def _mean_score(study: Study) -> Subquery | Value:
    """What the model that draws in a study says of its masks of a case; of others, and of former images, nothing."""
    try:
        model = _drawing_model(study)
    except RejectedInput:  # none serves
        return Value(None, output_field=models.FloatField())
    current = {*inputs_of(list(Case.objects.in_use().with_images().filter(study=study)), model).values()}
    scores = InitialMask.objects.filter(
        case=OuterRef("case"), model=model, inputs_sha256__in=current, score__isnull=False
    )
    return Subquery(scores.order_by().values("case").annotate(mean=Avg("score")).values("mean"))


def _drawing_model(study: Study) -> Model:
    """The model whose masks annotators are shown: the one that the project's settings name, else the promoted one.

    Raises:
        RejectedInput: There is none.
    """
    named = last_settings(study).prompt_models.get(PromptKind.AUTOMATIC)
    return promoted_model(PromptKind.AUTOMATIC, study) if named is None else find_model(named)
