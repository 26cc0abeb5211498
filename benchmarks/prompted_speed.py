"""Speed of the answer to a click, part by part, against the same networks as a whole-volume MONAI pipeline.

`python -m benchmarks.prompted_speed PACKAGE… [--case FOLDER]` clicks like a simulated user until there are enough later
clicks, in one run and with the same threads on both sides. First the networks' answers on our runtime are compared with
torch's; no time is printed if they differ. Exit status 1 if the ratio or that comparison fails.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from annotation_backend.labeling.masks import brush
from benchmarks.changed_slices import changed_slices
from benchmarks.click_case import ClickCase, one_slice, phantom_case, real_case
from benchmarks.whole_volume_monai import WholeVolume
from datasets.image.orientation import as_ras, axis_in_ras
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from training.inputs.canvas import Region
from training.measures.metrics import dice
from training.methods.loading import load_segmenter
from training.model_package import read_description, read_package
from training.networks.dyn_unet import dyn_unet
from training.prompts.prompt import Click, Prompts
from training.prompts.simulated_clicks import first_click, next_click
from training.runtime import runtime_of
from training.segmenters.clicks.click_plan import ClickPlan
from training.segmenters.segmenter import Segmentation, SegmentationRequest, Segmenter
from training.segmenters.weights import members_of, with_weights

LIMIT = 0.15
"""Our share of the peer's time that must not be exceeded."""

EQUAL = 1e-4
"""Largest difference of a probability between our runtime and torch."""

CLICKS_A_SESSION = {3: 10, 2: 5}
"""Clicks on a volume, or on a slice, before the next session begins."""

PARTS = ("crop", "map", "network", "postprocessing", "encoding", "rest")

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Model:
    """A package, loaded for both sides."""

    folder: Path
    plan: ClickPlan
    segmenter: Segmenter
    refiners: Sequence[torch.nn.Module]
    loading_seconds: float

    @classmethod
    def load(cls, folder: Path) -> "Model":
        """The segmenter as in service, and its refiners on torch."""
        digest = read_description(folder).digest
        started = time.perf_counter()
        segmenter = load_segmenter(folder, expected_digest=digest)
        seconds = time.perf_counter() - started
        description, tensors = read_package(folder, expected_digest=digest)
        plan = ClickPlan.from_parameters(description.parameters)
        members = members_of(tensors, plan.members * (1 if plan.automatic is None else 2))
        refiners = [with_weights(dyn_unet(plan.refiner), own, device=CPU) for own in members[: plan.members]]
        return cls(folder, plan, segmenter, refiners, seconds)

    @property
    def dimensions(self) -> int:
        """Two or three."""
        return len(self.plan.canvas)

    def greatest_difference(self, *, seed: int = 0) -> float:
        """Between our runtime's probabilities and torch's, for noise on the canvas."""
        shape = (1, self.plan.refiner.channels, *self.plan.canvas)
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        found = []
        for network in self.refiners:
            with torch.inference_mode():
                expected = network(torch.from_numpy(noise)).sigmoid().numpy()
            answer = torch.from_numpy(runtime_of(network, device=CPU)(noise)).sigmoid().numpy()
            found.append(float(np.abs(answer - expected).max()))
        return max(found)


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to one click, with its times."""

    clicks: tuple[Click, ...]
    before: Volume | None
    slices: tuple[int, ...] | None
    given: Segmentation
    seconds: dict[str, float]
    slices_sent: int
    dice: float

    @property
    def total(self) -> float:
        """Seconds from the click to the codes of the changed slices."""
        return sum(self.seconds.values())


@dataclass(eq=False)
class Sessions:
    """Sessions of a simulated user on a case."""

    model: Model
    case: ClickCase
    axis: int
    random: np.random.Generator
    plane: PicturePlane = field(init=False)

    def __post_init__(self) -> None:
        self.plane = PicturePlane.along(self.case.grid, self.axis)

    def run(self, later: int) -> Iterator[list[Answer]]:
        """Sessions until there are `later` answers beside the first of each; no previous probability at the start."""
        places = self._places()
        while later > 0:
            session = self._session(next(places))
            later -= max(len(session) - 1, 0)
            yield session

    def answer(self, clicks: tuple[Click, ...], before: Volume | None, slices: tuple[int, ...] | None) -> Answer:
        """One click, from the request to the codes of the changed slices."""
        request = SegmentationRequest(
            self.case.volumes, next(iter(self.case.volumes)), Prompts(clicks), self.axis, slices, "benchmark", before
        )
        started = time.perf_counter()
        given = self.model.segmenter.segment(request)
        answered = time.perf_counter()
        mask = given.probability.data > 0.5
        sent = changed_slices(None if before is None else before.data > 0.5, mask, self.axis)
        for index in sent:
            brush.encode(self.plane.to_picture(mask, index))
        ended = time.perf_counter()
        told = given.used["seconds"]
        seconds = {part: float(told.get(part, 0.0)) for part in PARTS[:-2]}
        seconds |= {"encoding": ended - answered, "rest": answered - started - sum(seconds.values())}
        place = (slice(None),) * self.axis + (list(slices) if slices else slice(None),)
        return Answer(clicks, before, slices, given, seconds, len(sent), dice(mask[place], self.case.tumour[place]))

    def _session(self, index: int | None) -> list[Answer]:
        slices = None if index is None else (index,)
        place = (slice(None),) * self.axis + (slice(None) if index is None else slice(index, index + 1),)
        truth = np.zeros_like(self.case.tumour)
        truth[place] = self.case.tumour[place]
        clicks: tuple[Click, ...] = (self.case.click(first_click(truth, self.random), positive=True),)
        answers: list[Answer] = []
        while len(answers) < CLICKS_A_SESSION[self.model.dimensions]:
            before = answers[-1].given.probability if answers else None
            answers.append(self.answer(clicks, before, slices))
            drawn = np.zeros_like(truth)
            drawn[place] = answers[-1].given.probability.data[place] > 0.5
            wrong = next_click(truth, drawn, self.random)
            if wrong is None:
                break
            clicks = (*clicks, self.case.click(wrong.index, positive=wrong.positive))
        return answers

    def _places(self) -> Iterator[int | None]:
        """The slices with tumour in random order, again and again; None, for all, where a click draws the volume."""
        others = tuple(axis for axis in range(3) if axis != self.axis)
        shown = np.flatnonzero(self.case.tumour.any(axis=others))
        while True:
            for index in self.random.permutation(shown):
                yield int(index) if self.model.dimensions == 2 else None


def measured(model: Model, case: ClickCase, *, later: int, rounds: int) -> dict[str, Any]:
    """All figures of one model on one case."""
    axis = int(np.argmax(case.grid.spacing))
    sessions = Sessions(model, case, axis, np.random.default_rng(1))
    middle = tuple(int(index) for index in np.argwhere(case.tumour).mean(axis=0))
    slices = (middle[axis],) if model.dimensions == 2 else None
    started = time.perf_counter()
    sessions.answer((case.click(middle, positive=True),), None, slices)
    warming = time.perf_counter() - started
    done = list(sessions.run(later))
    first, rest = [session[0] for session in done], [answer for session in done for answer in session[1:]]
    shown = [session[-1] for session in done][:rounds]
    peers = {"whole volume": beside_monai(model, case, answers=shown, axis=axis)}
    if model.dimensions == 2:
        peers["clicked slice alone"] = beside_monai(model, case, answers=shown, axis=axis, only_slice=True)
    ours = float(np.median([answer.total for answer in rest]))
    for peer in peers.values():
        peer |= {"ratio": ours / peer["seconds"], "ratio_images_kept": ours / peer["seconds_images_kept"]}
    return {
        "model": model.folder.name,
        "shape": list(case.grid.shape),
        "threads": torch.get_num_threads(),
        "loading_seconds": model.loading_seconds,
        "warming_seconds": warming,
        "first_click": _table(first),
        "later_clicks": _table(rest),
        "monai": peers,
    }


def beside_monai(
    model: Model, case: ClickCase, *, answers: Sequence[Answer], axis: int, only_slice: bool = False
) -> dict[str, Any]:
    """The same later clicks through the whole-volume pipeline; medians.

    Args:
        model: The model with its networks.
        case: The case with its images.
        answers: Our answers.
        axis: Through the slices.
        only_slice: Whether the pipeline is given the clicked slice alone, as a volume of one slice.
    """
    spacing = _seen_spacing(model, answers[0], axis=axis)
    preparing, answering, found, windows = [], [], [], 0
    for answer in answers:
        index = answer.slices[0] if only_slice and answer.slices else None
        volumes = [_cut(case.volumes[name], axis, index) for name in model.plan.channels]
        before = None if answer.before is None else _cut(answer.before, axis, index)
        clicks = [one for one in answer.clicks if index is None or _slice_of(one, case, axis) == index]
        pipeline = WholeVolume(model.plan, model.refiners, volumes, spacing, axis_in_ras(axis, case.grid))
        started = time.perf_counter()
        images = pipeline.prepared()
        preparing.append(time.perf_counter() - started)
        probability, seconds = pipeline.answer(images, clicks, before)
        answering.append(seconds)
        truth = case.tumour if index is None else case.tumour.take([index], axis)
        found.append(dice(probability > 0.5, truth))
        windows += pipeline.windows
    return {
        "seconds": float(np.median(np.add(preparing, answering))),
        "seconds_images_kept": float(np.median(answering)),
        "rounds": len(answers),
        "spacing_mm": [round(size, 3) for size in spacing],
        "windows": windows // len(answers),
        "dice": round(float(np.mean(found)), 3),
    }


def _cut(volume: Volume, axis: int, index: int | None) -> Volume:
    return volume if index is None else one_slice(volume, axis, index)


def _slice_of(click: Click, case: ClickCase, axis: int) -> int:
    return int(np.rint(case.grid.to_voxel(click.point_mm)[axis]))


def _seen_spacing(model: Model, answer: Answer, *, axis: int) -> tuple[float, float, float]:
    """Millimetres of a canvas voxel in our last pass, towards right, anterior, superior."""
    grid = as_ras(answer.given.probability).grid
    spacing = np.array(grid.spacing)
    if model.dimensions == 3:
        region = Region(**answer.given.used["region"])
        spacing = spacing * region.size / model.plan.canvas
    else:
        region = Region(**next(iter(answer.given.used["regions"].values())))
        across = [other for other in range(3) if other != axis_in_ras(axis, answer.given.probability.grid)]
        spacing[across] = spacing[across] * region.size / model.plan.canvas
    i, j, k = (float(size) for size in spacing)
    return i, j, k


def _table(answers: Sequence[Answer]) -> dict[str, Any]:
    """p50 and p95 in seconds, of all and by part."""
    return {
        "clicks": len(answers),
        "p50": _percentile([answer.total for answer in answers], 50),
        "p95": _percentile([answer.total for answer in answers], 95),
        "parts_p50": {part: _percentile([answer.seconds[part] for answer in answers], 50) for part in PARTS},
        "parts_p95": {part: _percentile([answer.seconds[part] for answer in answers], 95) for part in PARTS},
        "slices_sent": float(np.mean([answer.slices_sent for answer in answers])),
        "dice": round(float(np.mean([answer.dice for answer in answers])), 3),
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    found: NDArray[np.float64] = np.percentile(values, percent)
    return round(float(found), 5)


def _as_text(row: dict[str, Any]) -> str:
    lines = [
        f"{row['model']} on {' x '.join(map(str, row['shape']))}, {row['threads']} threads: network within "
        f"{row['difference']:.1e} of torch; loaded in {row['loading_seconds']:.1f} s, warm after "
        f"{row['warming_seconds']:.1f} s",
        "| clicks | n | p50 ms | p95 ms | " + " | ".join(PARTS) + " | slices sent | Dice |",
        "| --- " * (6 + len(PARTS)) + "|",
    ]
    for name in ("first_click", "later_clicks"):
        table = row[name]
        parts = " | ".join(f"{1e3 * table['parts_p50'][part]:.0f}" for part in PARTS)
        lines.append(
            f"| {name.replace('_', ' ')} | {table['clicks']} | {1e3 * table['p50']:.0f} | {1e3 * table['p95']:.0f} "
            f"| {parts} | {table['slices_sent']:.0f} | {table['dice']:.3f} |"
        )
    for given, peer in row["monai"].items():
        lines.append(
            f"MONAI, {given}: {peer['seconds']:.2f} s ({peer['seconds_images_kept']:.2f} s with the images kept "
            f"ready), {peer['windows']} windows, Dice {peer['dice']:.3f}. Ratio {peer['ratio']:.3f} "
            f"({peer['ratio_images_kept']:.3f})"
        )
    return "\n".join(lines) + f"\nRatio to the whole volume to hold: {LIMIT}"


def main() -> int:
    """Measures every package; exit status 1 where one is too slow or its networks answer otherwise than torch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", type=Path, nargs="+", help="folders of click models")
    parser.add_argument("--case", type=Path, help="folder of a patient's NIfTI files; a phantom without")
    parser.add_argument("--clicks", type=int, default=30, help="later clicks at least")
    parser.add_argument("--rounds", type=int, default=3, help="clicks that the peer answers too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    is_held = True
    for folder in options.packages:
        model = Model.load(folder)
        difference = model.greatest_difference()
        if difference > EQUAL:
            sys.stderr.write(f"{folder.name}: the runtime differs from torch by {difference:.1e}; not timed\n")
            is_held = False
            continue
        images = tuple(model.plan.channels)
        case = phantom_case(images) if options.case is None else real_case(options.case, images)
        row = {"difference": difference} | measured(model, case, later=options.clicks, rounds=options.rounds)
        sys.stdout.write((json.dumps(row) if options.json else _as_text(row)) + "\n")
        is_held &= row["monai"]["whole volume"]["ratio"] <= LIMIT
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
