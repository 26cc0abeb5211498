"""The page of a study's models: who answers each kind of prompt there, and the registered models."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions, prompt_services
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page


@study_page()
@require_GET
def model_list(request: HttpRequest, study: Study) -> HttpResponse:
    """The models that came along or learned from the study's masks, and what each serves there now."""
    serving: dict[int, set[str]] = {}
    for promotion in newest_promotions(study):
        serving.setdefault(promotion.model_id, set()).add(str(PromptKind(promotion.prompt_kind).label))
    models = Model.objects.filter(Q(study=None) | Q(study=study) | Q(pk__in=serving))
    rows = [(model, sorted(serving.get(model.pk, ()))) for model in models]
    return render(request, "registry/models.html", {"rows": rows, "services": prompt_services(study)})
