"""Evaluation: a segmenter answers a simulated user, case by case and click by click, and is measured after each.

A session runs as in the product: the user sees the mask that was drawn, the last probability goes back to the
segmenter, and the images keep their cache key from request to request. Every random choice comes from the seed and the
case's name, so a case's clicks do not depend on the other cases of the cohort, and two models meet the same user.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.digest import content_sha256
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.progress import Progress
from datasets.study.cohort import CohortCase, LoadedCase, load
from training.evaluation.results import CaseResult, Evaluation, RefusedCase
from training.measures.metrics import Agreement, agreement
from training.measures.statistics import mean_sd
from training.prompts.prompt import Prompts
from training.prompts.simulated_user import SimulatedUser
from training.segmenters.segmenter import SegmentationRequest, Segmenter

LEAST_SLICE_PIXELS = 20
"""Slices with less tumour are not evaluated on their own: at about 1 mm a pixel, 20 pixels are 5 mm across, where one
pixel's rim is most of the tumour and Dice says little about the method."""

_MOST = 1000
"""Most clicks of a session, and most sessions of a case."""

SegmenterOf = Callable[[str], Segmenter]
"""The segmenter for a case's name, so that each patient is drawn by the fold that was not trained on it."""


@dataclass(frozen=True)
class _Plan:
    """Settings of an evaluation; the fields are arguments of `evaluate`."""

    clicks: int
    seeds: int
    per_slice: bool
    slices_per_case: int | None
    target: str
    resample: bool

    def __post_init__(self) -> None:
        many = self.clicks > _MOST or self.seeds > _MOST
        if many or self.clicks < 0 or self.seeds < 1 or (self.slices_per_case is not None and self.slices_per_case < 1):
            raise RejectedInput(
                "evaluation-plan",
                f"Expected 0 to {_MOST} clicks, 1 to {_MOST} seeds and 1 slice or more, got {self.clicks} clicks, "
                f"{self.seeds} seeds and {self.slices_per_case} slices.",
                remedy="Give numbers in these ranges.",
            )


@dataclass(frozen=True)
class _Step:
    """One answer of the segmenter, measured."""

    measured: Agreement
    seconds: float | None


def evaluate(
    segmenter: Segmenter | SegmenterOf,
    cases: Sequence[CohortCase | LoadedCase],
    *,
    user: SimulatedUser,
    clicks: int = 10,
    seeds: int = 3,
    per_slice: bool = False,
    slices_per_case: int | None = None,
    target: str = "",
    resample: bool = False,
    model: str = "",
    about: str = "",
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates a segmenter on a cohort.

    Args:
        segmenter: The segmenter, or a function from a case's name to the segmenter that draws it.
        cases: Files, read one case at a time, or cases in memory.
        user: The simulated user.
        clicks: Most clicks of a session.
        seeds: Sessions of each case, from the seeds 0, 1, ...
        per_slice: Every slice with enough tumour is a session of its own, for methods that draw slice by slice.
        slices_per_case: Most slices of a case, evenly spread; None for all.
        target: The channel that is segmented; empty for the first.
        resample: Bring images on other grids onto the mask's.
        model: Name and version; empty for the segmenter's own.
        about: A remark on the data and their limits, for the summary.
        progress: Called with (sessions done, sessions to do); what it raises stops the evaluation.

    Returns:
        The curves of every case; a case that cannot be read or drawn is refused by name, and the others go on.

    Raises:
        RejectedInput: There are no cases, two have one name, a number is out of range, or the user begins with more
            clicks than are allowed.
    """
    plan = _Plan(clicks, seeds, per_slice, slices_per_case, target, resample)
    _require_cases(cases)
    _require_clicks(user, clicks)
    results: list[CaseResult] = []
    refused: list[RefusedCase] = []
    versions: set[str] = set()
    for number, case in enumerate(cases):
        try:
            chosen = segmenter if hasattr(segmenter, "segment") else segmenter(case.case)
            loaded = load(case, resample=plan.resample) if isinstance(case, CohortCase) else case
            seed_done = _Counter(progress, number * plan.seeds, len(cases) * plan.seeds)
            results.append(_case_result(loaded, _Watched(chosen, versions), user, plan=plan, seed_done=seed_done))
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


class _Watched:
    """A segmenter whose answers are timed, and refused on another grid than the images'."""

    def __init__(self, segmenter: Any, versions: set[str]) -> None:
        self._segmenter, self._versions = segmenter, versions

    def segment(self, request: SegmentationRequest) -> tuple[Volume, float]:
        """The probability and the seconds it took."""
        started = time.perf_counter()
        answer = self._segmenter.segment(request)
        seconds = time.perf_counter() - started
        request.volumes[request.target].grid.require_match(answer.probability.grid, what="A segmenter's answer")
        self._versions.add(answer.model_version)
        return answer.probability, seconds


@dataclass(frozen=True, eq=False)
class _Scene:
    """The subject of one session: a whole case, or one slice of it.

    Args:
        request: The images, without prompts.
        truth: The mask, cut to the slice where there is one.
        part: Slices that cut `truth`'s part from the images.
    """

    request: SegmentationRequest
    truth: Mask
    part: tuple[slice, ...]


def _case_result(
    case: LoadedCase, segmenter: _Watched, user: SimulatedUser, *, plan: _Plan, seed_done: Callable[[], None]
) -> CaseResult:
    scenes = tuple(_scenes(case, plan))
    sessions: list[list[_Step]] = []
    for seed in range(plan.seeds):
        for number, scene in enumerate(scenes):
            random = np.random.default_rng([seed, number, _number_of(case.case)])
            sessions.append(_session(scene, segmenter, user, random=random, clicks=plan.clicks))
        seed_done()
    return _averaged(case.case, user.rounds(plan.clicks), sessions, seeds=plan.seeds)


def _session(
    scene: _Scene, segmenter: _Watched, user: SimulatedUser, *, random: np.random.Generator, clicks: int
) -> list[_Step]:
    """One session of a user on a case or slice: a step for each round.

    A user with nothing left to correct stops clicking; the mask does not change any more.
    """
    rounds = len(user.rounds(clicks))
    steps: list[_Step] = []
    request = scene.request
    prompts: Prompts | None = user.start(scene.truth, random)
    while prompts is not None and len(steps) < rounds:
        slices = scene.request.slices or user.slices(prompts, PicturePlane.of(scene.truth.grid))
        request = replace(request, prompts=prompts, slices=slices)
        probability, seconds = segmenter.segment(request)
        predicted = np.asarray(probability.data[scene.part], dtype=np.float32) > 0.5
        steps.append(_Step(_measured(predicted, scene), seconds))
        request = replace(request, previous=probability)
        if len(steps) < rounds:
            prompts = user.next(scene.truth, predicted, prompts, random=random)
    return steps + [replace(steps[-1], seconds=None)] * (rounds - len(steps))


def _measured(predicted: NDArray[np.bool_], scene: _Scene) -> Agreement:
    return agreement(predicted, scene.truth.foreground, scene.truth.grid, scene.request.slice_axis)


def _scenes(case: LoadedCase, plan: _Plan) -> Iterator[_Scene]:
    target = plan.target or next(iter(case.volumes))
    if target not in case.volumes:
        raise RejectedInput(
            "evaluation-target",
            f"The cohort has no channel of this name; its channels are {', '.join(case.volumes)}.",
            remedy="Name one of the cohort's channels.",
        )
    axis = PicturePlane.of(case.mask.grid).slice_axis
    request = SegmentationRequest(case.volumes, target, slice_axis=axis, cache_key=_cache_key(case))
    if not plan.per_slice:
        yield _Scene(request, case.mask, (slice(None),) * 3)
        return
    for index in _chosen_slices(case.mask, axis, plan.slices_per_case):
        part = tuple(slice(index, index + 1) if at == axis else slice(None) for at in range(3))
        yield _Scene(replace(request, slices=(index,)), _cut(case.mask, part), part)


def _cache_key(case: LoadedCase) -> str:
    """Cache key from the images' content: another cohort may use the same names for other images."""
    return "".join(content_sha256(volume)[:16] for volume in case.volumes.values())


def _chosen_slices(mask: Mask, axis: int, most: int | None) -> list[int]:
    """Slices with enough tumour, evenly spread from the first to the last where there are more than `most`."""
    pixels = mask.foreground.sum(axis=tuple(other for other in range(3) if other != axis))
    enough = np.flatnonzero(pixels >= LEAST_SLICE_PIXELS)
    if not enough.size:
        raise RejectedInput(
            "evaluation-small-tumour",
            f"No slice has {LEAST_SLICE_PIXELS} pixels of tumour, the least that is evaluated slice by slice.",
            remedy="Leave the case out, or evaluate it as a volume.",
        )
    if most is None or enough.size <= most:
        return [int(index) for index in enough]
    middles = (np.arange(most) + 0.5) * enough.size / most  # the middle of each of `most` equal stretches
    return [int(enough[int(place)]) for place in middles]


def _cut(mask: Mask, part: tuple[slice, ...]) -> Mask:
    """A part of a mask with its own grid, so that clicks on it keep their millimetres."""
    data = mask.data[part]
    affine = mask.grid.affine.copy()
    affine[:3, 3] = mask.grid.to_world([each.start or 0 for each in part])
    i, j, k = data.shape
    return Mask(data, Grid((i, j, k), affine), mask.labels)


def _averaged(case: str, rounds: tuple[int, ...], sessions: list[list[_Step]], *, seeds: int) -> CaseResult:
    columns = [list(column) for column in zip(*sessions, strict=True)]
    ends = [steps[-1].measured for steps in sessions]
    per_seed = len(ends) // seeds
    times = [[step.seconds for step in steps if step.seconds is not None] for steps in sessions]

    def total(name: str) -> float:
        return sum(getattr(end, name) for end in ends) / seeds

    def largest(name: str) -> float:
        by_seed = [ends[start : start + per_seed] for start in range(0, len(ends), per_seed)]
        return sum(max(getattr(end, name) for end in seed_ends) for seed_ends in by_seed) / seeds

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
        first_seconds=tuple(found[0] for found in times),
        later_seconds=tuple(second for found in times for second in found[1:]),
    )


def _mean(column: list[_Step], name: str) -> float | None:
    return mean_sd([getattr(step.measured, name) for step in column]).mean


def _number_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


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
