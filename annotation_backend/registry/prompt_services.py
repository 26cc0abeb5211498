"""Which model serves each kind of prompt and each label of a study, or why none does."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max, Q

from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.models import Study
from datasets.study.image_kind import Fit


@dataclass(frozen=True)
class PromptService:
    """Who answers a kind of prompt in a study.

    Args:
        kind: Of the prompts.
        label: That they draw.
        model: The promoted model; None where there is none.
        note: Why there is none, or what is doubtful about the one there is; empty where all is well.
    """

    kind: PromptKind
    label: str
    model: Model | None
    note: str = ""

    def __str__(self) -> str:
        words = f"{self.kind.label} prompts for {self.label}: {self.model or 'no model'}"
        return f"{words}. {self.note}" if self.note else words


def newest_promotions(study: Study | None = None, *, without: Iterable[str] = ()) -> list[Promotion]:
    """The promotion that counts for each study, kind of prompt and label.

    Args:
        study: Of this study alone; None for all.
        without: Digests of models whose promotions do not count.
    """
    rows = Promotion.objects.order_by() if study is None else Promotion.objects.order_by().filter(study=study)
    if broken := list(without):
        rows = rows.exclude(model__digest__in=broken)
    newest = rows.values("study", "prompt_kind", "label").annotate(last=Max("pk")).values_list("last", flat=True)
    return list(Promotion.objects.filter(pk__in=list(newest)).select_related("model", "study"))


def models_for(study: Study) -> list[Model]:
    """The registered models that may serve a study: those that came along or learned from its masks, and fit it."""
    models = Model.objects.filter(Q(study=None) | Q(study=study))
    fits = [(model, fit_in(model, study.protocol)) for model in models]
    return [model for model, found in fits if found.fit is not Fit.OTHER and found.labels]


def prompt_services(study: Study) -> list[PromptService]:
    """Every kind of prompt and prompted label of a study, with the model that serves or the reason why none does."""
    serving = {(row.prompt_kind, row.label): row.model for row in newest_promotions(study)}
    models = list(Model.objects.filter(Q(study=None) | Q(study=study)))
    return [
        _service(study, PromptKind(kind), label.name, serving.get((kind, label.name)), models)
        for label in study.protocol.prompted_labels
        for kind in PromptKind.values
    ]


def _service(study: Study, kind: PromptKind, label: str, model: Model | None, models: list[Model]) -> PromptService:
    if model is not None:
        reason = fit_in(model, study.protocol).reason
        return PromptService(kind, label, model, f"{reason}." if reason else "")
    able = [model for model in models if kind in model.prompt_kinds]
    if not able:
        return PromptService(kind, label, None, "No registered model answers these prompts.")
    fits = {model: fit_in(model, study.protocol) for model in able}
    if ready := [model for model in able if fits[model].is_sure and label in fits[model].labels]:
        return PromptService(
            kind, label, None, f"Let one serve: `manage.py promote_model {ready[-1]} --study {study} --for {kind}`."
        )
    # Versions of one model fail for one reason.
    reasons = {model.name: fits[model].reason or f"{model} draws {model.label}, not {label}" for model in able}
    train = f"Train one on this study's masks: `manage.py train_model --study {study}`."
    return PromptService(kind, label, None, f"{'. '.join(dict.fromkeys(reasons.values()))}. {train}")
