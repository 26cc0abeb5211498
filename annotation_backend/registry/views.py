"""The page of models: who answers each kind of prompt in a person's studies, and the registered models."""

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions, prompt_services
from annotation_backend.studies.people import studies_of


@login_required
@require_GET
def model_list(request: HttpRequest) -> HttpResponse:
    """The models that came along or learned from the person's studies, and what each serves there now."""
    studies = list(studies_of(request.user))
    serving: dict[int, set[str]] = {}
    for promotion in (row for study in studies for row in newest_promotions(study)):
        serving.setdefault(promotion.model_id, set()).add(str(PromptKind(promotion.prompt_kind).label))
    models = Model.objects.filter(Q(study=None) | Q(study__in=studies) | Q(pk__in=serving))
    rows = [(model, sorted(serving.get(model.pk, ()))) for model in models]
    services = [(study, prompt_services(study)) for study in studies]
    return render(request, "registry/models.html", {"rows": rows, "services": services})
