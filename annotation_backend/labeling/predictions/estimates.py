"""How good a study's model estimates its own masks of a case to be: the number by which people get first where it is
least sure, annotators and reviewers alike."""

from typing import Any

from django.db import models
from django.db.models import Avg, OuterRef, Subquery, Value

from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.mask_inputs import inputs_of
from annotation_backend.inference.serving.serving import promoted_model
from annotation_backend.labeling.interface.project_settings import last_settings
from annotation_backend.registry.model_registry import find_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput


def mean_score(study: Study, *, case: str = "case") -> Any:
    """What the model that draws in a study says of its masks of a row's case; of others, and of former images, nothing.

    The mean over the slices that it drew of the case as it is now, 0 to 1; null where it says nothing.

    Args:
        study: Whose rows they are.
        case: Where a row names its case; ``pk`` for cases themselves.
    """
    try:
        model = _drawing_model(study)
    except RejectedInput:  # none serves
        return Value(None, output_field=models.FloatField())
    current = {*inputs_of(list(Case.objects.in_use().with_images().filter(study=study)), model).values()}
    scores = InitialMask.objects.filter(
        case=OuterRef(case), model=model, inputs_sha256__in=current, score__isnull=False
    )
    return Subquery(scores.order_by().values("case").annotate(mean=Avg("score")).values("mean"))


def _drawing_model(study: Study) -> Model:
    """The model whose masks annotators are shown: the one that the project's settings name, else the promoted one.

    Raises:
        RejectedInput: There is none.
    """
    named = last_settings(study).prompt_models.get(PromptKind.AUTOMATIC)
    return promoted_model(PromptKind.AUTOMATIC, study) if named is None else find_model(named)
