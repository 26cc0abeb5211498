"""The learning curve of a study, from its runs: held-out Dice, and what became of each model's drafts.

Models are compared where they can be: those of one method, label, images and split, on the patients that all of them
held out. Work is that on cases which opened with a model's drafts: other patients for each model.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.studies.models import Study
from datasets.files import canonical_json
from training.measures.statistics import patient_means

if TYPE_CHECKING:
    from training.evaluation.learning_curve import CurvePoint

MOST_MODELS = 50
"""The newest runs that curves are made of."""

NO_DRAFT = "without a draft"


@dataclass(frozen=True)
class CurveRow:
    """One model of a curve: its means, with the ends of their intervals where there are any.

    Args:
        model: Its name; `NO_DRAFT` for cases on which none had drawn.
        cases: Approved cases that it learned from.
        dice: Mean, lower and upper end, over the shared held-out patients; None for none.
        changed: The same of the percent of drafts that were changed.
        actions: The same of a simulated annotator's actions.
        drafts: Cases that opened with its drafts.
    """

    model: str
    cases: int
    dice: tuple[float | None, ...]
    changed: tuple[float | None, ...]
    actions: tuple[float | None, ...]
    drafts: int


@dataclass(frozen=True)
class StudyCurve:
    """The curve of the models of one method, label, images and split.

    Args:
        title: What they have in common.
        patients: On how many patients all of them were tried.
        models: How many models were tried on them.
        rows: One for each model, and one for cases without a draft.
        plots: Titles and SVG; those for which there are two models or more.
    """

    title: str
    patients: int
    models: int
    rows: tuple[CurveRow, ...]
    plots: tuple[tuple[str, str], ...]


def curves_of(study: Study) -> list[StudyCurve]:
    """The curves of a study, that with most models first; two queries, however many models there are."""
    fields = ("study", "method", "settings", "figures", "drafts", "model", "snapshot")
    done = Run.objects.filter(study=study, status=RunStatus.DONE, model__isnull=False).only(*fields)
    runs = sorted(done.select_related("model", "snapshot").order_by("-pk")[:MOST_MODELS], key=lambda run: run.pk)
    outcomes = {str(row["case"]): row for run in runs for row in run.drafts}
    groups: dict[bytes, list[Run]] = defaultdict(list)
    for run in runs:
        groups[canonical_json([run.method, *(run.settings.get(name) for name in _ALIKE)])].append(run)
    return sorted((_curve(group, outcomes) for group in groups.values()), key=lambda curve: -len(curve.rows))


_ALIKE = ("label", "channels", "folds", "split")
"""Settings in which models of one curve are alike; iterations are told and may differ."""


def _curve(runs: Sequence[Run], outcomes: Mapping[str, Mapping[str, Any]]) -> StudyCurve:
    from training.evaluation.learning_curve import curve_plot

    tried = [_by_patient(run.figures, "dice") for run in runs if run.figures]
    shared = set.intersection(*map(set, tried)) if tried else set()
    points = [_point(run, shared, outcomes, "changed") for run in runs]
    acted = [_point(run, shared, outcomes, "actions") for run in runs]
    bare = [_without(outcomes, name) for name in ("changed", "actions")]
    rows = [_row(point, own, outcomes, run) for point, own, run in zip(points, acted, runs, strict=True)]
    if bare[0].work:
        rows.insert(0, _row(bare[0], bare[1], outcomes, None))
    plots = {
        "Dice on held-out patients": curve_plot(points, of_work=False, y_title="Dice on the same held-out patients"),
        "Drafts that were changed": curve_plot(points, of_work=True, y_title="changed of draft or mask (%)"),
        "Actions a case": curve_plot([bare[1], *acted], of_work=True, y_title="a simulated annotator's actions a case"),
    }
    first = runs[0]
    words = [first.method, str(first.settings.get("label") or ""), " + ".join(first.settings.get("channels") or ())]
    folds = f"{first.settings['folds']} folds" if first.settings.get("folds") else "" if first.folds else "one model"
    title = ", ".join(word for word in (*words, folds) if word)
    return StudyCurve(title, len(shared), len(tried), tuple(rows), tuple((k, svg) for k, svg in plots.items() if svg))


def _point(run: Run, shared: set[str], outcomes: Mapping[str, Mapping[str, Any]], name: str) -> "CurvePoint":
    from training.evaluation.learning_curve import CurvePoint

    dice = {patient: value for patient, value in _by_patient(run.figures, "dice").items() if patient in shared}
    own = [row for row in outcomes.values() if row["model"] == run.model_id]
    return CurvePoint(str(run.model), len(run.snapshot.cases), dice, _work(own, name))


def _without(outcomes: Mapping[str, Mapping[str, Any]], name: str) -> "CurvePoint":
    """Cases on which no model had drawn: what they took is where a curve of work begins."""
    from training.evaluation.learning_curve import CurvePoint

    return CurvePoint(NO_DRAFT, 0, {}, _work([row for row in outcomes.values() if row["model"] is None], name))


def _work(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    factor = 100.0 if name == "changed" else 1.0
    return {patient: factor * value for patient, value in _by_patient(rows, name).items()}


def _row(
    point: "CurvePoint", acted: "CurvePoint", outcomes: Mapping[str, Mapping[str, Any]], run: Run | None
) -> CurveRow:
    means = point.dice_mean, point.work_mean, acted.work_mean
    dice, changed, actions = ((each.value, each.lower, each.upper) for each in means)
    number = None if run is None else run.model_id
    drafts = sum(row["model"] == number for row in outcomes.values())
    return CurveRow(point.name, point.cases, dice, changed, actions, drafts)


def _by_patient(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    """The mean over each patient's cases that have the value."""
    return patient_means((str(row["patient"]), float(row[name])) for row in rows if row.get(name) is not None)
