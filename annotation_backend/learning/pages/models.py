"""Pages of a study's models: who serves, what was registered, what runs; one model with its masks; two compared."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.learning.models import Run, RunStatus, TrainingAsk
from annotation_backend.learning.pages.forms import RetrainingForm
from annotation_backend.learning.pages.runs import shown_run
from annotation_backend.learning.retraining.asking import failed_ask, needless_ask
from annotation_backend.learning.retraining.rules import rules_of
from annotation_backend.learning.runs.comparing import PairedFigures, paired_figures
from annotation_backend.learning.runs.held_out import case_means
from annotation_backend.learning.runs.learning_curve import curves_of
from annotation_backend.learning.runs.tracing import trace_of
from annotation_backend.learning.runs.withdrawn import withdrawn_by_model
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions, prompt_services
from annotation_backend.registry.serving_history import models_before, served_in
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from datasets.errors import RejectedInput

MOST_RUNS = 20
MOST_HISTORY = 30

LARGE = ("figures", "drafts", "losses", "settings", "environment", "folds", "code")
"""What the list of runs does not read."""


@study_page()
@require_GET
def model_list(request: HttpRequest, study: Study) -> HttpResponse:
    """Who serves, the models that came along or learned from the study's masks, and how trainings go."""
    serving: dict[int, set[str]] = {}
    for promotion in newest_promotions(study):
        serving.setdefault(promotion.model_id, set()).add(str(PromptKind(promotion.prompt_kind).label))
    models = list(shown_models(study))
    gone = withdrawn_by_model([model for model in models if model.study_id == study.pk])
    summaries = dict(Run.objects.filter(model__in=models, study=study).values_list("model", "summary"))
    runs = Run.objects.filter(study=study).order_by("-pk").select_related("model").defer(*LARGE)[:MOST_RUNS]
    before = models_before(study)
    context = {
        "services": [(each, before.get((each.kind.value, each.label))) for each in prompt_services(study)],
        "rows": [
            (model, sorted(serving.get(model.pk, ())), summaries.get(model.pk), gone.get(model.pk, []))
            for model in models
        ],
        "runs": [shown_run(run) for run in runs],
        "curves": curves_of(study),
        "may_change": may(request, Role.DATA_MANAGER),
        "may_look": may(request, Role.DATA_MANAGER, Role.RADIOLOGIST),
    }
    if context["may_look"]:
        context["history"] = served_in(study)[:MOST_HISTORY]
        context |= _retraining_of(study)
    return render(request, "learning/models.html", context)


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def model_page(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """One model: where it serves, and the masks that it learned from, by codes; a data manager promotes it here."""
    model = get_object_or_404(shown_models(study), pk=pk)
    trace = trace_of(model, study)
    run = Run.objects.filter(model=model, study=study).defer("losses", "progress").first()
    withdrawn = [case["case"] for case in trace["cases"] if case["withdrawn_since"]]
    others = [one for one in _with_figures(study) if one.pk != pk] if run is not None and run.figures else []
    kinds = [kind for kind in PromptKind if kind.value in model.prompt_kinds]
    may_change = may(request, Role.DATA_MANAGER)
    context = {"model": model, "trace": trace, "run": run, "withdrawn": withdrawn, "others": others, "kinds": kinds}
    context |= {"labels": study.protocol.prompted_labels, "may_change": may_change}
    return render(request, "learning/model.html", context)


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def model_trace(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """The same as JSON: model, run, snapshot, masks, who drew and reviewed them, by codes."""
    model = get_object_or_404(shown_models(study), pk=pk)
    return JsonResponse(trace_of(model, study), json_dumps_params={"indent": 2})


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def model_compare(request: HttpRequest, study: Study) -> HttpResponse:
    """Figures of two models side by side, with the paired test on the patients that both held out."""
    choice = _with_figures(study)
    named = {str(model.pk): model for model in choice}
    first, second = (named.get(request.GET.get(name, "")) for name in ("first", "second"))
    context: dict[str, Any] = {"choice": choice, "first": first, "second": second}
    if first is not None and second is not None and first.pk != second.pk:
        context |= _compared(first, second)
    return render(request, "learning/compare.html", context)


def shown_models(study: Study) -> QuerySet[Model]:
    """The models that came along, learned from a study's masks, or ever served there."""
    served = Promotion.objects.filter(study=study).values("model")
    return Model.objects.filter(Q(study=None) | Q(study=study) | Q(pk__in=served))


def _with_figures(study: Study) -> list[Model]:
    done = Run.objects.filter(study=study, status=RunStatus.DONE).exclude(figures=[])
    return list(Model.objects.filter(pk__in=done.values("model")))


def _compared(first: Model, second: Model) -> dict[str, Any]:
    runs = {
        run.model_id: run for run in Run.objects.filter(model__in=[first, second]).select_related("model", "snapshot")
    }
    one, other = runs[first.pk], runs[second.pk]
    found: PairedFigures | RejectedInput
    try:
        found = paired_figures(one, other)
    except RejectedInput as error:
        return {"refusal": error}
    own, theirs = case_means(one.figures), case_means(other.figures)
    rows = [(row, theirs[case]) for case, row in own.items() if case in theirs]
    return {"paired": found, "pairs": rows, "summaries": (one.summary, other.summary)}


def _retraining_of(study: Study) -> dict[str, Any]:
    waiting = TrainingAsk.objects.filter(study=study, begun__isnull=True).first()
    rules = rules_of(study)
    form = RetrainingForm(initial=RetrainingForm.values_of(rules), bound=rules.external)
    return {"form": form, "waiting": waiting, "failed": failed_ask(study), "needless": needless_ask(study)}
