"""The orders in which work comes to people, each with words that say why a case is next."""

from typing import Any

from django.db import models
from django.db.models import F, OuterRef, QuerySet, Subquery

from annotation_backend.labeling.predictions.estimates import mean_score
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from annotation_backend.work.models import ComparedMasks, Disagreement


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
        estimate: Any = mean_score(study)
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
