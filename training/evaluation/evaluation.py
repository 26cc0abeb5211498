"""Evaluation: a segmenter answers a simulated user, case by case and click by click, and is measured after each.

Every random choice comes from the seed and the case's name, so a case's clicks do not depend on the other cases of the
cohort, and two models meet the same user.
"""

from collections.abc import Callable, Sequence

import numpy as np

from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.progress import Progress
from datasets.study.cohort import CohortCase, LoadedCase, load
from training.evaluation.results import LESIONS, CaseResult, Evaluation, RefusedCase
from training.evaluation.sessions import SessionPlan, Step, WatchedSegmenter, generator, scenes, session
from training.measures.lesions import LesionCounts
from training.measures.statistics import mean_sd
from training.prompts.simulated_user import SimulatedUser
from training.segmenters.segmenter import Segmenter

SegmenterOf = Callable[[str], Segmenter]
"""The segmenter for a case's name, so that each patient is drawn by the fold that was not trained on it."""

KeepMask = Callable[[str, Mask], None]
"""Takes a case's name and what was drawn."""


def evaluate(
    segmenter: Segmenter | SegmenterOf,
    cases: Sequence[CohortCase | LoadedCase],
    *,
    user: SimulatedUser,
    plan: SessionPlan | None = None,
    model: str = "",
    about: str = "",
    keep: KeepMask | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates a segmenter on a cohort.

    Args:
        segmenter: The segmenter, or a function from a case's name to the segmenter that draws it.
        cases: Files, read one case at a time, or cases in memory.
        user: The simulated user.
        plan: Number and kind of the sessions; None for the ordinary ones.
        model: Name and version; empty for the segmenter's own.
        about: A remark on the data and their limits, for the summary.
        keep: Called with each case's name and the mask that the first session ended with (of all its slices).
        progress: Called with (sessions done, sessions to do); what it raises stops the evaluation.

    Returns:
        The curves of every case; a case that cannot be read or drawn is refused by name, and the others go on.

    Raises:
        RejectedInput: There are no cases, two have one name, or the user begins with more clicks than are allowed.
    """
    plan = plan or SessionPlan()
    _require_cases(cases)
    _require_clicks(user, plan.clicks)
    results: list[CaseResult] = []
    refused: list[RefusedCase] = []
    versions: set[str] = set()
    for number, case in enumerate(cases):
        try:
            chosen = segmenter if hasattr(segmenter, "segment") else segmenter(case.case)
            loaded = load(case, resample=plan.resample) if isinstance(case, CohortCase) else case
            seed_done = _Counter(progress, number * plan.seeds, len(cases) * plan.seeds)
            watched = WatchedSegmenter(chosen, versions)
            found, drawn = _case_result(loaded, watched, user, plan=plan, seed_done=seed_done)
            results.append(found)
            if keep is not None:
                keep(loaded.case, drawn)
        except RejectedInput as error:
            refused.append(RefusedCase(case.case, error.code, error.message, error.remedy))
            if progress is not None:
                progress((number + 1) * plan.seeds, len(cases) * plan.seeds)
    return Evaluation(
        model or ", ".join(sorted(versions)),
        user.name,
        tuple(range(plan.seeds)),
        plan.per_slice,
        plan.slices_per_case,
        about,
        tuple(results),
        tuple(refused),
    )


class _Counter:
    """Reports the progress after each seed of one case."""

    def __init__(self, progress: Progress | None, before: int, total: int) -> None:
        self._progress, self._done, self._total = progress, before, total

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _case_result(
    case: LoadedCase,
    segmenter: WatchedSegmenter,
    user: SimulatedUser,
    *,
    plan: SessionPlan,
    seed_done: Callable[[], None],
) -> tuple[CaseResult, Mask]:
    """A case's curves, and what the sessions of the first seed drew."""
    found = tuple(scenes(case, plan))
    sessions: list[list[Step]] = []
    drawn = [np.zeros(case.mask.grid.shape, dtype=np.bool_) for _ in range(min(plan.seeds, 2))]
    for seed in range(plan.seeds):
        for number, scene in enumerate(found):
            random, last = generator(seed, number, case), drawn[min(seed, 1)]
            sessions.append(session(scene, segmenter, user, random=random, clicks=plan.clicks, drawn=last))
        seed_done()
    mask = Mask(drawn[0].astype(np.uint8), case.mask.grid)
    return _averaged(case.case, user.rounds(plan.clicks), sessions, plan=plan), mask


def _averaged(case: str, rounds: tuple[int, ...], sessions: list[list[Step]], *, plan: SessionPlan) -> CaseResult:
    columns = [list(column) for column in zip(*sessions, strict=True)]
    ends = [steps[-1].measured for steps in sessions]
    per_seed = len(ends) // plan.seeds
    times = [[step.seconds for step in steps if step.seconds is not None] for steps in sessions]

    def total(name: str) -> float:
        return sum(getattr(end, name) for end in ends) / plan.seeds

    def largest(name: str) -> float:
        by_seed = [ends[start : start + per_seed] for start in range(0, len(ends), per_seed)]
        return sum(max(getattr(end, name) for end in seed_ends) for seed_ends in by_seed) / plan.seeds

    return CaseResult(
        case,
        rounds,
        dice=tuple(_mean(column, "dice") or 0.0 for column in columns),
        assd_mm=tuple(_mean(column, "assd_mm") for column in columns),
        hd95_mm=tuple(_mean(column, "hd95_mm") for column in columns),
        surface_dice_1mm=tuple(_mean(column, "surface_dice_1mm") or 0.0 for column in columns),
        seconds=tuple(mean_sd([step.seconds for step in column]).mean for column in columns),
        empty=tuple(sum(step.measured.volume_ml == 0 for step in column) for column in columns),
        sessions=len(sessions),
        volume_ml=total("volume_ml"),
        reference_volume_ml=total("reference_volume_ml"),
        diameter_mm=largest("diameter_mm"),
        reference_diameter_mm=largest("reference_diameter_mm"),
        diameter_3d_mm=None if plan.per_slice else largest("diameter_3d_mm"),
        reference_diameter_3d_mm=None if plan.per_slice else largest("reference_diameter_3d_mm"),
        lesions=None if plan.per_slice else _mean_lesions([end.lesions for end in ends]),
        first_seconds=tuple(found[0] for found in times),
        later_seconds=tuple(second for found in times for second in found[1:]),
    )


def _mean_lesions(counts: Sequence[LesionCounts]) -> dict[str, float]:
    return {name: float(np.mean([getattr(each, name) for each in counts])) for name in LESIONS}


def _mean(column: list[Step], name: str) -> float | None:
    return mean_sd([getattr(step.measured, name) for step in column]).mean


def _require_clicks(user: SimulatedUser, clicks: int) -> None:
    if not user.rounds(clicks):
        raise RejectedInput(
            "evaluation-clicks",
            f"The user begins with more clicks than the {clicks} that are allowed.",
            remedy="Allow at least one click.",
        )


def _require_cases(cases: Sequence[CohortCase | LoadedCase]) -> None:
    names = {case.case for case in cases}
    if not names or len(names) < len(cases):
        raise RejectedInput(
            "evaluation-cases",
            f"Expected at least one case and each name once, got {len(cases)} cases of {len(names)} names.",
            remedy="List each case once.",
        )
