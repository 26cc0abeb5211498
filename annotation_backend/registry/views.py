"""The page of a study's models and the kinds of prompt that each serves there."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.registry.model_registry import models_known_in
from annotation_backend.registry.models import Promotion, PromptKind
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page


@study_page()
@require_GET
def model_list(request: HttpRequest, study: Study) -> HttpResponse:
    """The models that a study knows, and the kinds of prompt that each serves there now."""
    serving: dict[int, list[str]] = {}
    for kind in PromptKind:
        promotion = Promotion.objects.filter(study=study, prompt_kind=kind).first()
        if promotion is not None:
            serving.setdefault(promotion.model_id, []).append(str(kind.label))
    rows = [(model, serving.get(model.pk, [])) for model in models_known_in(study)]
    return render(request, "registry/models.html", {"rows": rows})
