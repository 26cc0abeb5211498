"""How a released mask came about, as a release tells it: stages, scores, agreement, models and registrations.

Nothing in it says who did something or when: no name, no number of a person, no comment, no time.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from annotation_backend.cases.models import Case, Registration
from annotation_backend.inference.models import InitialMask, Prediction
from annotation_backend.labeling.models import CaseMask
from annotation_backend.readers.models import PairAgreement
from annotation_backend.registry.models import Model
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage

_DIGITS = 4


def provenance_of(review: Review) -> dict[str, Any]:
    """What is known of how the mask of an approving review came about, as plain values."""
    mask, case = review.mask, review.mask.case
    return {
        "stages": _stages(case),
        "scores": _scores(mask),
        "agreement": _agreement(case),
        "models": _models(mask),
        "corrections": _corrections(mask),
        "registrations": [_registration(row) for row in _shown(case)],
        "slices": {"drawn": len(mask.annotated_slices), "not_drawn": len(mask.unannotated_slices)},
    }


def _stages(case: Case) -> list[dict[str, Any]]:
    """Every round of every stage that the case was in, in the order in which they were opened."""
    rows = CaseStage.objects.filter(case=case).order_by("pk")
    return [{"stage": row.stage, "round": row.round, "state": row.state} for row in rows]


def _scores(mask: CaseMask) -> list[dict[str, Any]]:
    """The quality scores that reviewers gave this very mask; without names they are in no order of persons."""
    reviews = Review.objects.filter(mask=mask, end__isnull=True).select_related("row")
    found = [(review.row.stage if review.row else "", review.verdict, review.quality_score) for review in reviews]
    return [{"stage": stage, "verdict": verdict, "score": score} for stage, verdict, score in sorted(found)]


def _agreement(case: Case) -> list[dict[str, Any]]:
    """How far each two readers' masks of the case agreed."""
    pairs = PairAgreement.objects.filter(row__case=case, row__is_control=False, is_current=True).select_related("row")
    rows = [
        {
            "stage": pair.row.stage,
            "round": pair.row.round,
            "label": pair.label,
            "dice": round(pair.dice, _DIGITS),
            "surface_dice_1mm": round(pair.surface_dice_1mm, _DIGITS),
            "hd95_mm": None if pair.hd95_mm is None else round(pair.hd95_mm, _DIGITS),
        }
        for pair in pairs
    ]
    return sorted(rows, key=lambda row: (row["stage"], row["round"], row["label"], row["dice"]))


def _models(mask: CaseMask) -> list[dict[str, Any]]:
    """The models whose masks people saw before this one was made, and those that drew part of it by themselves."""
    drafted = InitialMask.objects.filter(case=mask.case, drawn__lt=mask.created).exclude(bits=b"")
    asked = Prediction.objects.filter(case=mask.case, created__lt=mask.created)
    drew = mask.corrections.filter(model__isnull=False)
    uses: dict[int, set[str]] = {}
    for use, keys in (
        ("draft", drafted.values_list("model", flat=True)),
        ("shown", asked.values_list("model", flat=True)),
        ("drew", drew.values_list("model", flat=True)),
    ):
        for key in set(keys.order_by()):
            uses.setdefault(key, set()).add(use)
    models = Model.objects.filter(pk__in=uses).order_by("name", "version")
    return [_model(model, uses[model.pk]) for model in models]


def _model(model: Model, uses: Iterable[str]) -> dict[str, Any]:
    names = {"name": model.name, "version": model.version, "method": model.method, "digest": model.digest}
    return names | {"used_as": sorted(uses)}


def _corrections(mask: CaseMask) -> list[dict[str, Any]]:
    """Masks that were put in the place of what was drawn, and how much of it each changed."""
    rows = mask.corrections.order_by("pk")
    return [{"kind": row.kind, "changed_share": round(row.changed_share, _DIGITS)} for row in rows]


def _shown(case: Case) -> list[Registration]:
    roles = set(case.roles)
    return sorted((row for row in case.registrations.all() if row.role in roles), key=lambda row: row.role)


def _registration(row: Registration) -> dict[str, Any]:
    """A registration's verdicts, by the checks and by people, and what the checks measured."""
    return {
        "image": row.role,
        "onto": row.fixed_role,
        "method": str(row.record.get("method", "")),
        "verdict": row.verdict,
        "verdict_of_checks": row.automatic_verdict,
        "checks": {str(check["code"]): _measured(check) for check in row.checks},
    }


def _measured(check: Mapping[str, Any]) -> float | None:
    value = check.get("value")
    return round(float(value), _DIGITS) if isinstance(value, int | float) else None
