"""What evaluations say of each model, case by case, after checks that the models can be compared at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets.errors import RejectedInput
from training.evaluation.results import LESIONS
from training.measures.comparison import Document, not_an_evaluation, patients_of

DISTANCES = ("assd_mm", "hd95_mm")
SIZES = ("volume_ml", "diameter_mm", "diameter_3d_mm")

_MOST = 1e9
"""Millimetres, millilitres or lesions: no body has as many."""


@dataclass(frozen=True)
class Score:
    """One case as one model drew it.

    Args:
        dice: 0..1.
        surface_dice_1mm: 0..1.
        assd_mm: None where nothing was drawn.
        hd95_mm: None as above.
        sizes: Each of `SIZES`, of what was drawn; None where the evaluation does not say.
        reference_sizes: The same of the reference.
        lesions: Number of each of `LESIONS`; None where the evaluation does not say.
    """

    dice: float
    surface_dice_1mm: float
    assd_mm: float | None
    hd95_mm: float | None
    sizes: Mapping[str, float | None]
    reference_sizes: Mapping[str, float | None]
    lesions: Mapping[str, float] | None


@dataclass(frozen=True)
class ModelScores:
    """One model on the cases of one or several evaluations.

    Args:
        name: As the report calls it.
        method: Name of its method; empty where an evaluation of an earlier version does not say.
        images: Kinds of image that it takes; () where nothing says.
        folds: The cases that each of its folds is tested on; () for a single model.
        scores: By case.
        refused: Cases that it could not draw.
        learned_from: Cases that it was trained on: their figures are not held-out.
        is_by_slice: Whether figures are means over slices instead of volumes.
        patients: Code of each case's patient, as far as the evaluations know them.
    """

    name: str
    method: str
    images: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]
    scores: Mapping[str, Score]
    refused: tuple[str, ...]
    learned_from: tuple[str, ...]
    is_by_slice: bool
    patients: Mapping[str, str] = field(default_factory=dict)

    @property
    def tried(self) -> frozenset[str]:
        """Cases that were evaluated or refused by name."""
        return frozenset((*self.scores, *self.refused))


def read_models(named: Sequence[tuple[str, Document]], *, clicks: int | None = None) -> tuple[ModelScores, ...]:
    """The models of some evaluations; evaluations under one name are one model on different cases.

    Args:
        named: A name, or "" for the model's own, with a document of `Evaluation.as_dict`.
        clicks: After how many clicks cases are measured; None for the last.

    Raises:
        RejectedInput: No evaluation (``evaluation-document``), no cases (``report-empty``), a value that is no number
            or out of range (``report-number``), a case twice (``report-case-twice``), slices beside volumes
            (``report-slices``), no such number of clicks (``report-clicks``), or other folds (``report-other-folds``).
    """
    if not named:
        raise not_an_evaluation()
    models: dict[str, ModelScores] = {}
    for name, document in named:
        found = _model(name, document, clicks)
        models[found.name] = _joined(models[found.name], found) if found.name in models else found
    _require_comparable(tuple(models.values()))
    return tuple(models.values())


def _model(name: str, document: Document, clicks: int | None) -> ModelScores:
    try:
        title, summary = name or str(document["model"]), document["summary"]
        if not document["cases"]:
            raise RejectedInput(
                "report-empty",
                f"The evaluation of {title} has no case.",
                remedy="Evaluate the model on cases that it can draw.",
            )
        sizes = {each["case"]: each for each in summary["sizes"]}
        return ModelScores(
            name=title,
            method=str(summary.get("method", "")),
            images=tuple(map(str, summary.get("images", ()))),
            folds=tuple(tuple(map(str, fold)) for fold in summary.get("folds", ())),
            scores=dict(_scores(title, document["cases"], sizes, clicks)),
            refused=tuple(str(each["case"]) for each in summary["refused"]),
            learned_from=tuple(map(str, summary.get("learned_from", ()))),
            is_by_slice=bool(summary["per_slice"]),
            patients=patients_of(document),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise not_an_evaluation() from error


def _scores(
    title: str, cases: Sequence[Mapping[str, Any]], sizes: Mapping[str, Mapping[str, Any]], clicks: int | None
) -> Iterator[tuple[str, Score]]:
    names = [str(case["case"]) for case in cases]
    if len(set(names)) < len(names):
        raise _twice(title)
    for name, case in zip(names, cases, strict=True):
        at = _place(title, case["clicks"], clicks)
        size = sizes[name]
        lesions = size.get("lesions")
        yield (
            name,
            Score(
                dice=_number(case["dice"][at], f"Dice of {name}", most=1.0) or 0.0,
                surface_dice_1mm=_number(case["surface_dice_1mm"][at], f"surface Dice of {name}", most=1.0) or 0.0,
                assd_mm=_number(case["assd_mm"][at], f"ASSD of {name}"),
                hd95_mm=_number(case["hd95_mm"][at], f"HD95 of {name}"),
                sizes={each: _number(size.get(each), f"{each} of {name}") for each in SIZES},
                reference_sizes={each: _number(size.get(f"reference_{each}"), f"{each} of {name}") for each in SIZES},
                lesions=None
                if lesions is None
                else {each: _number(lesions[each], f"lesions of {name}") or 0.0 for each in LESIONS},
            ),
        )


def _place(title: str, counts: Sequence[int], clicks: int | None) -> int:
    if clicks is None or len(counts) == 1:
        return -1
    if clicks not in counts:
        raise RejectedInput(
            "report-clicks",
            f"{title} was not measured after {clicks} clicks.",
            remedy=f"Choose one of {', '.join(map(str, counts))}, or leave --clicks out for the last.",
        )
    return list(counts).index(clicks)


def _number(value: object, what: str, *, most: float = _MOST) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise RejectedInput(
            "report-number",
            f"Expected the {what} to be a number from 0 to {most:g}, got {str(value)[:20]}.",
            remedy="Write the evaluation again with evaluate_model --json; do not change it by hand.",
        )
    return float(value)


def _joined(one: ModelScores, other: ModelScores) -> ModelScores:
    if one.tried & other.tried:
        raise _twice(one.name)
    return ModelScores(
        name=one.name,
        method=one.method if one.method == other.method else "",
        images=one.images if one.images == other.images else (),
        folds=one.folds or other.folds,
        scores={**one.scores, **other.scores},
        refused=one.refused + other.refused,
        learned_from=one.learned_from + other.learned_from,
        is_by_slice=one.is_by_slice or other.is_by_slice,
        patients={**one.patients, **other.patients},
    )


def _require_comparable(models: Sequence[ModelScores]) -> None:
    if len({model.is_by_slice for model in models}) > 1:
        raise RejectedInput(
            "report-slices",
            "Some evaluations are of slices and others of volumes: a mean over slices is no Dice of a volume.",
            remedy="Report them apart, or evaluate all without --per-slice.",
        )
    folded = [model for model in models if model.folds]
    for model in folded[1:]:
        if _as_sets(model.folds) != _as_sets(folded[0].folds):
            raise RejectedInput(
                "report-other-folds",
                f"{model.name} was cross-validated on other folds than {folded[0].name}.",
                remedy="Train both with the same cases, --folds and --seed, or report them apart.",
            )


def _as_sets(folds: Sequence[Sequence[str]]) -> set[frozenset[str]]:
    return {frozenset(fold) for fold in folds}


def _twice(title: str) -> RejectedInput:
    return RejectedInput(
        "report-case-twice",
        f"The evaluations of {title} hold a case twice.",
        remedy="Give each evaluation once; different models need different names (NAME=FILE).",
    )
