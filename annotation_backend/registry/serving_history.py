"""What served when in a study, and which model served before: the one to go back to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.registry.model_registry import Grounds, promote
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

MOST_REASON = 200
"""Characters of a reason."""


@dataclass(frozen=True)
class Served:
    """A time during which a model drew a label from a kind of prompts.

    Args:
        promotion: The promotion with which it began.
        until: When another took its place; None while it serves.
    """

    promotion: Promotion
    until: datetime | None


def served_in(study: Study) -> list[Served]:
    """All that served in a study, the newest first; one query, however long it is."""
    found: list[Served] = []
    until: dict[tuple[str, str], datetime] = {}
    for row in Promotion.objects.filter(study=study).select_related("model", "person"):
        place = (row.prompt_kind, row.label)
        found.append(Served(row, until.get(place)))
        until[place] = row.created
    return found


def model_before(promotions: Sequence[Promotion]) -> Model | None:
    """The model that served before the one that does; None where there was none.

    Whoever goes back twice comes to the model before that one, not to the one that was left.

    Args:
        promotions: All of one study, kind of prompts and label, the oldest first.
    """
    way: list[Model] = []
    for row in promotions:
        if row.is_back and len(way) > 1 and way[-2].pk == row.model_id:
            way.pop()
        elif not way or way[-1].pk != row.model_id:
            way.append(row.model)
    return way[-2] if len(way) > 1 else None


def models_before(study: Study) -> dict[tuple[str, str], Model]:
    """The model to go back to, by kind of prompts and label, where there is one; one query."""
    places: dict[tuple[str, str], list[Promotion]] = {}
    for row in _of(study):
        places.setdefault((row.prompt_kind, row.label), []).append(row)
    found = {place: model_before(rows) for place, rows in places.items()}
    return {place: model for place, model in found.items() if model is not None}


def go_back(
    study: Study,
    *,
    kinds: Sequence[PromptKind] = (),
    label: str | None = None,
    person: User | None = None,
    reason: str = "",
) -> list[Promotion]:
    """Lets the models serve again that served before the last decision.

    Predictions that run end with the model that they began with, later ones have the former.

    Args:
        study: Where.
        kinds: The kinds of prompts; those that were promoted together last where none is named.
        label: The label; that of the newest promotion where none is named.
        person: Who goes back; None for a command.
        reason: In their words, if they gave any.

    Returns:
        The promotions, one for each kind.

    Raises:
        RejectedInput: Nothing served before (``promotion-first``), or the former package is damaged.
    """
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)  # two who go back at once go back once each
        before = models_before(study)
        places = _meant(study, kinds, label)
        if lacking := [kind for kind, of in places if (kind, of) not in before]:
            raise RejectedInput(
                "promotion-first",
                f"No model served {' and '.join(PromptKind(kind).label for kind in lacking)} prompts before.",
                remedy="Promote another model: `manage.py list_models` shows them.",
            )
        grounds = Grounds(person=person, reason=reason.strip()[:MOST_REASON], is_back=True)
        return [
            row
            for kind, of in places
            for row in promote(before[kind, of], study=study, kinds=[PromptKind(kind)], label=of, grounds=grounds)
        ]


def _meant(study: Study, kinds: Sequence[PromptKind], label: str | None) -> list[tuple[str, str]]:
    """The kinds of prompts and labels that are meant: what the newest promotion, or one decision, changed together."""
    newest = Promotion.objects.filter(study=study).first()
    if newest is None:
        raise RejectedInput("promotion-first", "No model was promoted here yet.", remedy="Promote one first.")
    if not kinds and label is None:
        together = Promotion.objects.filter(study=study, decision=newest.decision) if newest.decision else [newest]
        return sorted({(row.prompt_kind, row.label) for row in together})
    of = newest.label if label is None else label
    return [(kind.value, of) for kind in kinds or [PromptKind(newest.prompt_kind)]]


def _of(study: Study) -> QuerySet[Promotion]:
    return Promotion.objects.filter(study=study).select_related("model").order_by("pk")
