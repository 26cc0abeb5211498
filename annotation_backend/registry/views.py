"""The page of registered models, their snapshots, and the kinds of prompt that each serves."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.registry.models import Model, Promotion, PromptKind


@login_required
@require_GET
def model_list(request: HttpRequest) -> HttpResponse:
    """All registered models and the kinds of prompt each serves now."""
    serving: dict[int, list[str]] = {}
    for kind in PromptKind:
        promotion = Promotion.objects.filter(prompt_kind=kind).first()
        if promotion is not None:
            serving.setdefault(promotion.model_id, []).append(str(kind.label))
    rows = [(model, serving.get(model.pk, [])) for model in Model.objects.all()]
    return render(request, "registry/models.html", {"rows": rows})
