"""Promotion of a model in a study: by better figures on the same folds, or by a person's reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.learning.models import Run
from annotation_backend.learning.runs.comparing import paired_figures
from annotation_backend.registry.model_registry import Grounds, check_promotion, labels_drawn, promote
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions
from annotation_backend.registry.serving_history import MOST_REASON
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from training.table.table import method_called

SHORTEST_REASON = 3
"""Letters."""


@dataclass(frozen=True)
class Judgement:
    """What is known of a model against the one that serves.

    Args:
        serving: The model that serves.
        is_better: Whether figures show the new one to be better.
        words: Why, as a sentence without its stop.
        code: Of the refusal without a reason.
        figures: What was compared, as plain JSON values; empty where nothing could be.
    """

    serving: Model
    is_better: bool
    words: str
    code: str
    figures: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values, for the record of the promotion."""
        return {"against": str(self.serving), "better": self.is_better, "said": self.words, "figures": self.figures}


def judged(model: Model, kinds: Sequence[PromptKind], *, study: Study, label: str | None = None) -> list[Judgement]:
    """How a model compares with each other one that it would take the place of; none where nothing serves yet.

    Args:
        model: A registered model.
        kinds: The kinds of prompts that it would serve.
        study: Where.
        label: The label that it would draw there; None for its own.

    Raises:
        RejectedInput: The study has not its images or label.
    """
    labels = labels_drawn(model, study, label)
    places = [row for row in newest_promotions(study) if row.label in labels and row.prompt_kind in kinds]
    others: dict[Model, list[PromptKind]] = {}
    for row in sorted(places, key=lambda row: row.pk):
        if row.model_id != model.pk:
            others.setdefault(row.model, []).append(PromptKind(row.prompt_kind))
    runs = {
        run.model_id: run for run in Run.objects.filter(model__in=[model, *others]).select_related("model", "snapshot")
    }
    return [_judged(model, other, of, runs) for other, of in others.items()]


def promote_by_grounds(
    model: Model,
    *,
    study: Study,
    kinds: list[PromptKind] | None = None,
    label: str | None = None,
    person: User | None = None,
    reason: str = "",
) -> list[Promotion]:
    """Promotes a model that was shown to be better than the one that serves, or for which a person gives a reason.

    A prediction that runs ends with the model that it began with, later ones have the new one
    (`annotation_backend.inference.serving.serving`).

    Args:
        model: A registered model.
        study: Where it serves.
        kinds: The kinds of prompts; those of `check_promotion` when None.
        label: The label that it draws there; None for its own.
        person: Who promotes it; None for a command.
        reason: In their words.

    Raises:
        RejectedInput: As `check_promotion` and `require_grounds`.
    """
    wanted = check_promotion(model, kinds, study=study, label=label)
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)  # judged against what serves, which nobody changes meanwhile
        found = judged(model, wanted, study=study, label=label)
        require_grounds(model, found, reason)
        evidence = {"judged": [each.as_dict() for each in found]}
        grounds = Grounds(person=person, reason=reason.strip()[:MOST_REASON], evidence=evidence)
        return promote(model, study=study, kinds=wanted, label=label, grounds=grounds)


def require_grounds(model: Model, found: Sequence[Judgement], reason: str) -> None:
    """Refuses a promotion for which neither figures nor a person speak.

    Raises:
        RejectedInput: The figures do not show it to be better (``promotion-not-better``), or there are none on the same
            folds (``promotion-unproved``).
    """
    doubtful = [each for each in found if not each.is_better]
    if doubtful and len(reason.strip()) < SHORTEST_REASON:
        first = doubtful[0]
        raise RejectedInput(
            first.code,
            f"{model} was not shown to be better than {first.serving}, which serves: {first.words}.",
            remedy="Say why it is to serve all the same, with --reason or in the field for it; it is kept.",
        )


def _judged(model: Model, other: Model, kinds: Sequence[PromptKind], runs: dict[int | None, Run]) -> Judgement:
    def unproved(words: str) -> Judgement:
        return Judgement(other, False, words, "promotion-unproved", {})

    ours, theirs = runs.get(model.pk), runs.get(other.pk)
    if ours is None or theirs is None:
        lacking = model if ours is None else other
        return unproved(f"{lacking} was not tried on held-out cases of this study")
    usual = {method_called(each.method).usual_prompt.value for each in (model, other)}
    if len(usual) > 1 or usual != {kind.value for kind in kinds}:
        return unproved("their figures are not of the prompts that it would serve")
    try:
        figures = paired_figures(ours, theirs)
    except RejectedInput as error:
        return unproved(error.message.rstrip("."))
    return Judgement(other, figures.is_better, figures.words, "promotion-not-better", figures.as_dict())
