"""Sessions of an evaluation: a simulated user's clicks on one case or slice, and a measurement after each answer.

A session runs as in the product: the user sees the mask that was drawn, the last probability goes back to the
segmenter, and the images keep their cache key from request to request.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside, Mask
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import LoadedCase
from datasets.study.image_kind import modality_of
from training.measures.metrics import Agreement, agreement
from training.prompts.prompt import Prompts
from training.prompts.simulated_user import SimulatedUser
from training.segmenters.segmenter import SegmentationRequest

LEAST_SLICE_PIXELS = 20
"""Slices with less tumour are not evaluated on their own: at about 1 mm a pixel, 20 pixels are 5 mm across, where one
pixel's rim is most of the tumour and Dice says little about the method."""

_MOST = 1000
"""Most clicks of a session, and most sessions of a case."""


@dataclass(frozen=True)
class SessionPlan:
    """How cases are evaluated.

    Args:
        clicks: Most clicks of a session.
        seeds: Sessions of each case, from the seeds 0, 1, ...
        per_slice: Every slice with enough tumour is a session of its own, for methods that draw slice by slice.
        slices_per_case: Most slices of a case, evenly spread; None for all.
        target: The image that is segmented; empty for the first.
        resample: Bring images on other grids onto the mask's.

    Raises:
        RejectedInput: A number is out of range.
    """

    clicks: int = 10
    seeds: int = 3
    per_slice: bool = False
    slices_per_case: int | None = None
    target: str = ""
    resample: bool = False

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
class Step:
    """One answer of the segmenter, measured."""

    measured: Agreement
    seconds: float | None


class WatchedSegmenter:
    """A segmenter whose answers are timed, and refused on another grid than the images'."""

    def __init__(self, segmenter: Any, versions: set[str]) -> None:
        self._segmenter, self._versions = segmenter, versions

    def segment(self, request: SegmentationRequest) -> tuple[Volume, float]:
        """The probability and the seconds it took."""
        started = time.perf_counter()
        answer = self._segmenter.segment(request)
        seconds = time.perf_counter() - started if answer.seconds is None else answer.seconds
        request.volumes[request.target].grid.require_match(answer.probability.grid, what="A segmenter's answer")
        self._versions.add(answer.model_version)
        return answer.probability, seconds


@dataclass(frozen=True, eq=False)
class Scene:
    """The subject of one session: a whole case, or one slice of it.

    Args:
        request: The images, without prompts.
        truth: The mask, cut to the slice where there is one.
        part: Slices that cut `truth`'s part from the images.
    """

    request: SegmentationRequest
    truth: Mask
    part: tuple[slice, ...]


def session(
    scene: Scene,
    segmenter: WatchedSegmenter,
    user: SimulatedUser,
    *,
    random: np.random.Generator,
    clicks: int,
    drawn: Inside,
) -> list[Step]:
    """One session of a user on a case or slice: a step for each round.

    A user with nothing left to correct stops clicking; the mask does not change any more. The last mask is written into
    `drawn`, which has the shape of the case's images.
    """
    rounds = len(user.rounds(clicks))
    steps: list[Step] = []
    request = scene.request
    prompts: Prompts | None = user.start(scene.truth, random)
    while prompts is not None and len(steps) < rounds:
        request = replace(_asked(scene, user, prompts), previous=request.previous)
        probability, seconds = segmenter.segment(request)
        predicted = np.asarray(probability.data[scene.part], dtype=np.float32) > 0.5
        drawn[scene.part] = predicted
        steps.append(Step(_measured(predicted, scene), seconds))
        request = replace(request, previous=probability)
        if len(steps) < rounds:
            prompts = user.next(scene.truth, predicted, prompts, random=random)
    return steps + [replace(steps[-1], seconds=None)] * (rounds - len(steps))


def first_request(scene: Scene, user: SimulatedUser, random: np.random.Generator) -> SegmentationRequest:
    """What a session asks first."""
    return _asked(scene, user, user.start(scene.truth, random))


def generator(seed: int, number: int, case: LoadedCase) -> np.random.Generator:
    """The random choices of a session: of its seed, its place among those of the case, and the case's name."""
    return np.random.default_rng([seed, number, case.number])


def _asked(scene: Scene, user: SimulatedUser, prompts: Prompts) -> SegmentationRequest:
    slices = scene.request.slices or user.slices(prompts, PicturePlane.of(scene.truth.grid))
    return replace(scene.request, prompts=prompts, slices=slices)


def _measured(predicted: NDArray[np.bool_], scene: Scene) -> Agreement:
    return agreement(predicted, scene.truth.foreground, scene.truth.grid, scene.request.slice_axis)


def scenes(case: LoadedCase, plan: SessionPlan) -> Iterator[Scene]:
    target = plan.target or next(iter(case.volumes))
    if target not in case.volumes:
        raise RejectedInput(
            "evaluation-target",
            f"The cohort has no image of this name; its images are {', '.join(case.volumes)}.",
            remedy="Name one of the cohort's images.",
        )
    axis = PicturePlane.of(case.mask.grid).slice_axis
    request = SegmentationRequest(
        case.volumes, target, slice_axis=axis, cache_key=case.cache_key, modality=modality_of(target)
    )
    if not plan.per_slice:
        yield Scene(request, case.mask, (slice(None),) * 3)
        return
    for index in _chosen_slices(case.mask, axis, plan.slices_per_case):
        part = tuple(slice(index, index + 1) if at == axis else slice(None) for at in range(3))
        yield Scene(replace(request, slices=(index,)), _cut(case.mask, part), part)


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
