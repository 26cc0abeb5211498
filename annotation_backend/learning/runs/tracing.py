"""From a model back to the masks that it learned from: snapshot, masks, who drew and who reviewed, by codes alone."""

from collections.abc import Mapping
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import CaseMask
from annotation_backend.learning.models import Run
from annotation_backend.learning.runs.withdrawn import snapshots_of, withdrawn_of
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import names_in


def trace_of(model: Model, study: Study) -> dict[str, Any]:
    """What a model learned from and where it serves in a study, as plain JSON values; the same few queries always.

    People are named by role and number. A model of another study, or of published weights, says no more than that.

    Args:
        model: A registered model.
        study: The study whose page asks.
    """
    serves = [
        {"prompts": PromptKind(row.prompt_kind).value, "label": row.label, "since": row.created.isoformat()}
        for row in newest_promotions(study)
        if row.model_id == model.pk
    ]
    found: dict[str, Any] = {"model": str(model), "method": model.method, "digest": model.digest, "serves": serves}
    snapshot = snapshots_of([model]).get(model.pk) if model.study_id == study.pk else None
    if snapshot is None:
        return found | {"run": None, "snapshot": None, "cases": []}
    gone = withdrawn_of(snapshot.cases)
    masks = [int(entry["mask"]) for entry in snapshot.content["cases"]]
    drawn, reviews = _drawn_by(masks, study), _reviews_of(masks, study)
    cases = [
        {
            **{key: entry[key] for key in ("case", "patient", "mask", "mask_sha256", "quality_score")},
            "drawn_by": drawn.get(int(entry["mask"]), []),
            "reviews": reviews.get(int(entry["mask"]), []),
            "withdrawn_since": gone[entry["case"]].isoformat() if entry["case"] in gone else None,
        }
        for entry in snapshot.content["cases"]
    ]
    told = {"digest": snapshot.digest, "taken": snapshot.created.isoformat()}
    return found | {"run": _run_of(model), "snapshot": told, "cases": cases}


def _run_of(model: Model) -> dict[str, Any] | None:
    run = Run.objects.filter(model=model).first()
    if run is None:
        return None
    kept = {name: getattr(run, name) for name in ("settings", "code", "environment", "folds", "summary")}
    return {"number": run.pk, "started": run.started.isoformat(), **kept}


def _drawn_by(masks: list[int], study: Study) -> dict[int, list[str]]:
    """Who made or changed the annotations and corrections of each mask."""
    saves = CaseMask.annotations.through.objects.filter(casemask_id__in=masks)
    found: dict[int, set[int]] = {}
    studio = dict(User.objects.exclude(label_studio_id=None).values_list("label_studio_id", "pk"))
    for mask, *pair in saves.values_list("casemask_id", "annotation__completed_by", "annotation__updated_by"):
        found.setdefault(mask, set()).update(studio.get(number, 0) for number in pair if number)
    corrected = CaseMask.corrections.through.objects.filter(casemask_id__in=masks)
    for mask, author in corrected.values_list("casemask_id", "correction__author"):
        if author is not None:
            found.setdefault(mask, set()).add(author)
    names = names_in(study)
    return {mask: [_code(person, names) for person in sorted(people)] for mask, people in found.items()}


def _reviews_of(masks: list[int], study: Study) -> dict[int, list[dict[str, Any]]]:
    """All verdicts on each mask, the first one first."""
    names, found = names_in(study), dict[int, list[dict[str, Any]]]()
    rows = Review.objects.filter(mask__in=masks).order_by("pk").select_related("end")
    for row in rows:
        told = {
            "reviewer": _code(row.reviewer_id, names),
            "verdict": row.verdict,
            "quality_score": row.quality_score,
            "given": row.created.isoformat(),
            "ended": row.ending is not None,
        }
        found.setdefault(row.mask_id, []).append(told)
    return found


def _code(person: int, names: Mapping[int, str]) -> str:
    """What somebody is called in the study; by number alone who has no role there any more."""
    return names.get(person) or (f"Person {person}" if person else "somebody who is not known here")
