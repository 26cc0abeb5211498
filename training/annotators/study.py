"""The annotator study: each case drawn by hand and with every strategy, and a summary over all cases.

Both arms are the same annotator with the same brush and the same limit of good enough. A ratio is the number of actions
by hand divided by that with a strategy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean, median
from typing import Any

import numpy as np

from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import LoadedCase
from training.annotators.actions import ANSWER_SECONDS, COUNTED, OPEN_SECONDS, SECONDS
from training.annotators.annotator import Finished, Helpers, annotate
from training.annotators.strategy import BY_HAND, OUTLINED, GoodEnough, Strategy
from training.annotators.strokes import BrushSettings
from training.measures.metrics import dice

GOAL_RATIO = 5.0
"""The goal: this many times fewer actions than by hand."""

CaseRow = dict[str, Any]


@dataclass(frozen=True)
class StudyRules:
    """Rules that hold for both arms.

    Args:
        brush: How strokes are drawn.
        good: When a slice and a case are good enough.
        seed: Of every random choice.
    """

    brush: BrushSettings = field(default_factory=BrushSettings)
    good: GoodEnough = field(default_factory=GoodEnough)
    seed: int = 0

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values, with the seconds of each action."""
        return {
            "hand": asdict(self.brush) | {"radii": list(self.brush.radii)},
            "good_enough": asdict(self.good),
            "seed": self.seed,
            "counted": [action.value for action in COUNTED],
            "seconds": {action.value: round(seconds, 2) for action, seconds in SECONDS.items()},
            "answer_seconds": ANSWER_SECONDS,
            "open_seconds": OPEN_SECONDS,
        }


def study_case(case: LoadedCase, strategies: Sequence[Strategy], helpers: Helpers, rules: StudyRules) -> CaseRow:
    """Results of one case, by hand and with each strategy, as plain JSON values.

    Raises:
        RejectedInput: A model is missing, or cannot draw the case.
    """
    found = {
        strategy.name: _measured(
            case,
            annotate(
                case,
                strategy,
                helpers,
                random=np.random.default_rng([rules.seed, case.number]),
                brush=rules.brush,
                good=rules.good,
                cache_key=case.cache_key,
            ),
        )
        for strategy in (BY_HAND, OUTLINED, *strategies)
    }
    by_hand, outlined = found.pop(BY_HAND.name), found.pop(OUTLINED.name)
    return {
        "case": case.case,
        "slices": int(np.count_nonzero(PicturePlane.of(case.mask.grid).stack(case.mask.foreground).any(axis=(1, 2)))),
        "volume_ml": round(case.mask.volume_ml, 1),
        "by_hand": by_hand,
        "outlined": outlined,
        "strategies": {name: own | _ratios(own, by_hand, outlined) for name, own in found.items()},
    }


def summary(rows: Sequence[CaseRow]) -> dict[str, Any]:
    """Mean, median and worst of every strategy over the cases; empty without cases."""
    names = list(rows[0]["strategies"]) if rows else []
    return {
        "cases": len(rows),
        "slices": sum(row["slices"] for row in rows),
        "by_hand": _arm([row["by_hand"] for row in rows]) if rows else None,
        "outlined": _arm([row["outlined"] for row in rows]) if rows else None,
        "strategies": {name: _summary_of([row["strategies"][name] for row in rows]) for name in names},
    }


def _measured(case: LoadedCase, work: Finished) -> CaseRow:
    return work.log.as_dict() | {
        "dice": round(dice(work.mask, case.mask.foreground), 4),
        "wrong_when_opened": round(mean(work.wrong_when_opened.values()), 3),
    }


def _ratios(own: CaseRow, by_hand: CaseRow, outlined: CaseRow) -> CaseRow:
    return {
        "ratio": _ratio(by_hand, own, "actions"),
        "ratio_with_submits": _ratio(by_hand, own, "with_submits"),
        "ratio_seconds": _ratio(by_hand, own, "seconds"),
        "ratio_outlined": _ratio(outlined, own, "actions"),
        "ratio_outlined_with_submits": _ratio(outlined, own, "with_submits"),
        "ratio_outlined_seconds": _ratio(outlined, own, "seconds"),
    }


def _ratio(other: CaseRow, own: CaseRow, name: str) -> float:
    return round(float(other[name]) / max(float(own[name]), 1.0), 3)


def _arm(rows: Sequence[CaseRow]) -> dict[str, Any]:
    """Means over the cases, and the lowest Dice."""
    names = [name for name in rows[0] if not name.startswith("ratio")]
    return {name: round(mean(row[name] for row in rows), 4) for name in names} | {
        "dice_worst": min(row["dice"] for row in rows)
    }


def _summary_of(rows: Sequence[CaseRow]) -> dict[str, Any]:
    ratios = {name: _spread([row[name] for row in rows]) for name in rows[0] if name.startswith("ratio")}
    reached: Mapping[str, int] = {
        "five_times": sum(row["ratio"] >= GOAL_RATIO for row in rows),
        "five_times_outlined": sum(row["ratio_outlined"] >= GOAL_RATIO for row in rows),
    }
    return _arm(rows) | ratios | dict(reached)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": round(mean(values), 3), "median": round(median(values), 3), "worst": min(values)}
