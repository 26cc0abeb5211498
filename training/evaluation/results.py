"""Results of an evaluation: a curve of measures against clicks for each case, the refused cases, and a summary.

`Evaluation.as_dict` is the JSON document: a model, its cases with one value after each number of clicks, and a summary.
Nothing in it is NaN or infinite; a value that does not exist (a distance to an empty mask) is null.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.measures.metrics import MISS_DICE, is_miss
from training.measures.statistics import (
    MeanSd,
    average_over_clicks,
    bland_altman,
    clicks_needed,
    mean_sd,
    median_of_censored,
    over_splits,
)

CURVES = ("dice", "assd_mm", "hd95_mm", "surface_dice_1mm", "seconds")
"""The measures that are recorded after each number of clicks."""

LESIONS = ("lesions", "detected", "missed", "false")
"""What is counted of a case's lesions (`training.measures.lesions`)."""

DICE_GOALS = (0.85, 0.90)
"""A Dice of 0.85 is where readers call a mask good; 0.90 is what two readers reach with each other at best."""

_DIGITS = 6


@dataclass(frozen=True)
class CaseResult:
    """One case: means over the seeds, and over the slices where each slice was a session of its own.

    Args:
        case: The case's name.
        clicks: Numbers of clicks, one for each entry of the curves; 1 for a method that makes one request.
        dice: Mean Dice.
        assd_mm: Mean over the sessions whose mask was not empty; None where all were.
        hd95_mm: Likewise.
        surface_dice_1mm: Mean surface Dice.
        seconds: Mean time of the segmenter; None where no session needed that click any more.
        empty: Sessions whose mask was empty.
        sessions: Sessions in all: seeds times slices.
        volume_ml: Volume after the last click; of all evaluated slices together where they were apart.
        reference_volume_ml: The same of the mask.
        diameter_mm: Largest diameter in a slice after the last click.
        reference_diameter_mm: The same of the mask.
        diameter_3d_mm: Largest diameter in any direction after the last click; None where slices were apart.
        reference_diameter_3d_mm: The same of the mask.
        lesions: Mean number of each of `LESIONS` over the seeds, after the last click; None where slices were apart.
        first_seconds: Time of the first request of each session.
        later_seconds: Times of all others.
    """

    case: str
    clicks: tuple[int, ...]
    dice: tuple[float, ...]
    assd_mm: tuple[float | None, ...]
    hd95_mm: tuple[float | None, ...]
    surface_dice_1mm: tuple[float, ...]
    seconds: tuple[float | None, ...]
    empty: tuple[int, ...]
    sessions: int
    volume_ml: float
    reference_volume_ml: float
    diameter_mm: float
    reference_diameter_mm: float
    diameter_3d_mm: float | None
    reference_diameter_3d_mm: float | None
    lesions: dict[str, float] | None
    first_seconds: tuple[float, ...]
    later_seconds: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """The case's curves."""
        return {"case": self.case, "clicks": list(self.clicks)} | {name: list(getattr(self, name)) for name in CURVES}


@dataclass(frozen=True)
class RefusedCase:
    """A case that could not be evaluated, and why."""

    case: str
    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Evaluation:
    """A model on a cohort.

    Args:
        model: Name and version.
        user: The simulated user, in a phrase.
        seeds: Sessions of each case started from these.
        per_slice: Whether every slice was a session of its own.
        slices_per_case: Most slices of each case; None for all with enough tumour.
        about: A remark on the data and their limits.
        cases: In the order they were given.
        refused: Cases that could not be evaluated.
        splits: Of repeated random splits, the cases of each as its own model drew them; empty for all else.
        cleanings: Of folds, the post-processing of each, the best for the other folds' cases; empty where masks are as
            they were drawn; None for one model, whose package says it.
    """

    model: str
    user: str
    seeds: tuple[int, ...]
    per_slice: bool
    slices_per_case: int | None
    about: str
    cases: tuple[CaseResult, ...]
    refused: tuple[RefusedCase, ...] = ()
    splits: tuple[tuple[CaseResult, ...], ...] = ()
    cleanings: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON document: ``model``, ``cases``, ``summary``."""
        cases = [case.as_dict() for case in self.cases]
        document: dict[str, Any] = _rounded({"model": self.model, "cases": cases, "summary": self.summary()})
        return document

    def summary(self) -> dict[str, Any]:
        """Means over the cases, settings of the evaluation, and refused cases."""
        clicks = self.cases[0].clicks if self.cases else ()
        return {
            "user": self.user,
            "seeds": list(self.seeds),
            "per_slice": self.per_slice,
            "slices_per_case": self.slices_per_case,
            "about": self.about,
            "evaluated": len(self.cases),
            "refused": [asdict(case) for case in self.refused],
            "clicks": list(clicks),
            "empty": [sum(counts) for counts in zip(*(case.empty for case in self.cases), strict=True)],
            "misses": self._misses(),
            "sessions": sum(case.sessions for case in self.cases),
            **{name: self._curve(name) for name in CURVES},
            "average_1_to_10": {name: asdict(self._average(name)) for name in CURVES[:-1]},
            "clicks_to_dice": {f"{goal:.2f}": self._clicks_to(goal) for goal in DICE_GOALS},
            "worst": self._worst(),
            "agreement": self._agreement(),
            "sizes": [_sizes(case) for case in self.cases],
            "first_request_seconds": _spread([time for case in self.cases for time in case.first_seconds]),
            "later_request_seconds": _spread([time for case in self.cases for time in case.later_seconds]),
            **({"splits": self._of_splits()} if self.splits else {}),
            **({} if self.cleanings is None else {"cleanings": list(self.cleanings)}),
        }

    def _of_splits(self) -> dict[str, Any]:
        """Mean Dice of each split after the last click, and mean and standard deviation over the splits."""
        found = over_splits([[case.dice[-1] for case in cases] for cases in self.splits])
        return {"dice_of_each": list(found.of_each), "dice": asdict(found.over_splits)}

    def _curve(self, name: str) -> dict[str, list[Any]]:
        """Mean, standard deviation and number of cases after each number of clicks."""
        found = [mean_sd(values) for values in zip(*(getattr(case, name) for case in self.cases), strict=True)]
        return {key: [getattr(each, key) for each in found] for key in ("mean", "sd", "n")}

    def _misses(self) -> dict[str, Any]:
        """Cases whose Dice is below that of a miss, after each number of clicks."""
        counts = [sum(map(is_miss, values)) for values in zip(*(case.dice for case in self.cases), strict=True)]
        return {"below": MISS_DICE, "cases": counts}

    def _average(self, name: str) -> MeanSd:
        """Over the cases, of each case's mean over 1 to 10 clicks."""
        return mean_sd([average_over_clicks(case.clicks, getattr(case, name)) for case in self.cases])

    def _clicks_to(self, goal: float) -> dict[str, Any]:
        """Clicks that each case needed, null if it never reached the Dice, and their median."""
        needed = {case.case: clicks_needed(case.clicks, case.dice, threshold=goal) for case in self.cases}
        reached = [count for count in needed.values() if count is not None]
        median = median_of_censored(list(needed.values()))
        return {"reached": len(reached), "of": len(needed), "median": median, "cases": needed}

    def _worst(self) -> dict[str, Any] | None:
        """The case with the lowest Dice after the last click."""
        worst = min(self.cases, key=lambda case: case.dice[-1], default=None)
        return None if worst is None else {"case": worst.case, "clicks": worst.clicks[-1], "dice": worst.dice[-1]}

    def _agreement(self) -> dict[str, Any]:
        """Volumes and diameters after the last click against the masks', also in percent of both's mean."""
        found = {}
        for name in ("volume_ml", "diameter_mm"):
            measured = np.array([getattr(case, name) for case in self.cases])
            reference = np.array([getattr(case, f"reference_{name}") for case in self.cases])
            found[name] = asdict(bland_altman(measured, reference))
            mean = (measured + reference) / 2
            scale = np.divide(100.0, mean, out=np.zeros_like(mean), where=mean > 0)
            percent = asdict(bland_altman(measured * scale, reference * scale))
            percent.pop("pearson_r")
            found[f"{name.split('_')[0]}_percent"] = percent
        return found


def cleanings_in_words(cleanings: Sequence[str]) -> str:
    """The post-processing of folds, as ``largest-component (folds 1, 3), none (fold 2)``, and how it was chosen."""
    if not cleanings:
        return "none: masks as each fold drew them"
    found = []
    for each in dict.fromkeys(cleanings):
        numbers = [str(number) for number, own in enumerate(cleanings, start=1) if own == each]
        found.append(f"{each} (fold{'s' if len(numbers) > 1 else ''} {', '.join(numbers)})")
    return f"of each fold the best for the other folds' cases: {', '.join(found)}"


def _sizes(case: CaseResult) -> dict[str, Any]:
    sizes = ("volume_ml", "diameter_mm", "diameter_3d_mm")
    names = ("case", "lesions", *sizes, *(f"reference_{size}" for size in sizes))
    return {name: getattr(case, name) for name in names}


def _spread(seconds: Sequence[float]) -> dict[str, Any] | None:
    if not seconds:
        return None
    median, high = np.percentile(seconds, (50, 95))
    return {"median": float(median), "p95": float(high), "n": len(seconds)}


def _rounded(value: Any) -> Any:
    """The same values with six decimals: none of these measures is more precise."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
