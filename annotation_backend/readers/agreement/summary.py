"""Agreement of readers over a study: means with intervals by patient, and kappas of scores; made by a job."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.utils.timezone import now

from annotation_backend.readers.models import PairAgreement, StudyAgreement
from annotation_backend.review.models import Review
from annotation_backend.stages.hiding import is_blind_still, read_blind_now
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from datasets.study.case import QualityScore
from training.measures.bootstrap import Interval
from training.measures.intervals import cohen_kappa_interval, fleiss_kappa_interval, mean_interval
from training.measures.kappa import Weighting

EVERYTHING, CLOSED = "everything", "closed"
"""Parts of a summary's content: what data managers see, and what others do, without blind stages that are open in any
round."""

_SCORES = [score.value for score in QualityScore]
_SHARE = (0.0, 1.0)
_MASK_FIGURES = {"dice": _SHARE, "surface_dice_1mm": _SHARE, "hd95_mm": (0.0, float("inf"))}


def summarise(study: Study) -> StudyAgreement:
    """Works out and keeps a study's agreement anew."""
    pairs = list(
        PairAgreement.objects.filter(row__case__study=study, is_current=True)
        .select_related("row__case__study", "row__case__patient")
        .defer("by_slice")
    )
    scored = _scored(study)
    everything = _content(pairs, scored)
    blind = read_blind_now(study)
    closed_pairs = [pair for pair in pairs if (pair.row.case_id, pair.row.stage) not in blind]
    closed_scored = [one for one in scored if not is_blind_still(one.row)]
    is_same = (len(closed_pairs), len(closed_scored)) == (len(pairs), len(scored))
    closed = everything if is_same else _content(closed_pairs, closed_scored)
    content = {EVERYTHING: everything, CLOSED: closed}
    values = {"content": content, "made_at": now()}
    return StudyAgreement.objects.update_or_create(study=study, defaults=values)[0]


@dataclass(frozen=True)
class _Scored:
    """The scores that readers gave one mask in one stage, by their key."""

    row: CaseStage
    patient: str
    scores: dict[int, str]


def _scored(study: Study) -> list[_Scored]:
    reviews = Review.objects.filter(row__case__study=study).order_by("pk")
    found: dict[tuple[int, int], _Scored] = {}
    for review in reviews.select_related("row__case__study", "row__case__patient"):
        row = review.row
        assert row is not None  # noqa: S101  # the filter asks for it
        key = (row.pk, review.mask_id)
        thing = found.setdefault(key, _Scored(row, row.case.patient.code, {}))
        thing.scores[review.reviewer_id] = review.quality_score
    return [thing for thing in found.values() if len(thing.scores) > 1]


def _content(pairs: Sequence[PairAgreement], scored: Sequence[_Scored]) -> dict[str, Any]:
    by_label: dict[tuple[str, str], list[PairAgreement]] = defaultdict(list)
    for pair in pairs:
        by_label[pair.row.stage, pair.label].append(pair)
    by_stage: dict[str, list[_Scored]] = defaultdict(list)
    for thing in scored:
        by_stage[thing.row.stage].append(thing)
    return {
        "masks": [_of_masks(stage, label, found) for (stage, label), found in by_label.items()],
        "scores": [_of_scores(stage, found) for stage, found in by_stage.items()],
    }


def _of_masks(stage: str, label: str, pairs: Sequence[PairAgreement]) -> dict[str, Any]:
    patients = [pair.row.case.patient.code for pair in pairs]
    figures = {
        name: _interval(mean_interval([getattr(pair, name) for pair in pairs], patients, bounds=bounds))
        for name, bounds in _MASK_FIGURES.items()
    }
    counts = {"cases": len({pair.row.case_id for pair in pairs}), "pairs": len(pairs), "patients": len(set(patients))}
    without = sum(pair.hd95_mm is None for pair in pairs)
    return {"stage": stage, "label": label, **counts, "one_is_empty": without, **figures}


def _of_scores(stage: str, scored: Sequence[_Scored]) -> dict[str, Any]:
    patients = [thing.patient for thing in scored]
    fleiss = fleiss_kappa_interval([list(thing.scores.values()) for thing in scored], _SCORES, patients=patients)
    people = sorted({person for thing in scored for person in thing.scores})
    return {
        "stage": stage,
        "masks": len(scored),
        "differing": sum(len(set(thing.scores.values())) > 1 for thing in scored),
        "fleiss": _interval(fleiss),
        "pairs": list(_pairs(people, scored, patients)),
    }


def _pairs(people: Iterable[int], scored: Sequence[_Scored], patients: Sequence[str]) -> Iterable[dict[str, Any]]:
    for first, second in combinations(people, 2):
        one = [thing.scores.get(first) for thing in scored]
        other = [thing.scores.get(second) for thing in scored]
        both = sum(a is not None and b is not None for a, b in zip(one, other, strict=True))
        if not both:
            continue
        kappas = {
            name: _interval(cohen_kappa_interval(one, other, _SCORES, weighting=weighting, patients=patients))
            for name, weighting in (("kappa", Weighting.NONE), ("weighted", Weighting.QUADRATIC))
        }
        yield {"people": [first, second], "both": both, **kappas}


def _interval(found: Interval) -> dict[str, float | None]:
    return {"value": found.value, "lower": found.lower, "upper": found.upper}
