"""Quality of slice propagation: Dice by distance from one finished slice, and between finished ones.

`python -m benchmarks.propagation COHORT [--folds study/train/two-stage] [--cases N]`. COHORT holds a folder a patient
with MR_T1_image.nii.gz and MR_T1_mask.nii.gz; with `--folds` each volume is drawn by the fold not trained on it.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import LoadedCase, load, read_cohort
from training.measures.metrics import dice
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds
from training.segmenters.between_slices import interpolated_masks
from training.segmenters.propagation import propagate
from training.segmenters.segmenter import SegmentationRequest

DISTANCES = (1, 2, 3, 5, 8, 12)
EVERY = (2, 4, 6, 10)
STARTS = 5
Stack = NDArray[np.bool_]
Masks = Iterable[tuple[int, Stack]]


@dataclass
class Table:
    """Dice by method and column, a value a case."""

    values: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def lines(self, columns: Iterable[int]) -> Iterator[str]:
        """Mean / worst case, a row a method."""
        names = dict.fromkeys(name for name, _ in self.values)
        for name in names:
            cells = (self.values[name, column] for column in columns)
            yield f"| {name} | " + " | ".join(f"{np.mean(c):.3f} / {min(c):.2f}" if c else "" for c in cells) + " |"


@dataclass
class Scene:
    """One case: its request, its true mask, and a model's mask of the whole volume."""

    request: SegmentationRequest
    truth: Stack
    model: Stack | None

    @classmethod
    def of(cls, case: LoadedCase, folds: FoldSegmenters | None) -> "Scene":
        """With the volume drawn by the case's fold."""
        plane = PicturePlane.of(case.mask.grid)
        request = SegmentationRequest(case.volumes, "t1", slice_axis=plane.slice_axis)
        truth = plane.stack(case.mask.foreground)
        if folds is None:
            return cls(request, truth, None)
        drawn = folds(case.case).segment(request).probability
        return cls(replace(request, previous=drawn), truth, plane.stack(np.asarray(drawn.data) > 0.5))

    def answers(self, known: dict[int, Stack], wanted: list[int]) -> Iterator[tuple[str, Masks]]:
        """Every method's masks."""
        if len(known) == 1:
            yield "copy", ((index, next(iter(known.values()))) for index in wanted)
        else:
            yield "shape interpolation", interpolated_masks(known, wanted)
        yield "propagated", propagate(replace(self.request, previous=None), known, wanted)
        if self.model is not None:
            yield "propagated, with the model", propagate(self.request, known, wanted)
            yield "the model alone", ((index, self.model[index]) for index in wanted)


def one_finished(scene: Scene, table: Table) -> tuple[float, int]:
    """Five starts a case; slices with tumour at each distance. Returns seconds and slices of propagation."""
    seen = np.flatnonzero(scene.truth.any(axis=(1, 2)))
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    seconds, slices = 0.0, 0
    for start in (int(seen[int((number + 0.5) / STARTS * len(seen))]) for number in range(STARTS)):
        reach = range(max(start - DISTANCES[-1], 0), min(start + DISTANCES[-1] + 1, len(scene.truth)))
        wanted = [index for index in reach if index != start]
        for name, masks in scene.answers({start: scene.truth[start]}, wanted):
            begun = time.perf_counter()
            drawn = dict(masks)
            if name == "propagated":
                seconds, slices = seconds + time.perf_counter() - begun, slices + len(drawn)
            for index in (index for index in drawn if abs(index - start) in DISTANCES and scene.truth[index].any()):
                found[name, abs(index - start)].append(dice(drawn[index], scene.truth[index]))
    for key, values in found.items():
        table.values[key].append(float(np.mean(values)))
    return seconds, slices


def every_nth_finished(scene: Scene, table: Table) -> None:
    """Every second, fourth … slice of the volume is known; Dice over all others together."""
    for step in EVERY:
        known = {index: scene.truth[index] for index in range(step // 2, len(scene.truth), step)}
        wanted = [index for index in range(len(scene.truth)) if index not in known]
        for name, masks in scene.answers(known, wanted):
            drawn = dict(masks)
            table.values[name, step].append(dice(np.stack([drawn[index] for index in wanted]), scene.truth[wanted]))


def main() -> int:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--folds", type=Path, help="folder of a cross-validation of a method that draws volumes")
    parser.add_argument("--cases", type=int, help="most cases")
    options = parser.parse_args()
    folds = None if options.folds is None else FoldSegmenters(TrainedFolds.read(options.folds))
    cases = read_cohort(options.cohort, {"t1": "*/MR_T1_image.nii.gz"}, "*/MR_T1_mask.nii.gz").cases[: options.cases]
    away, between, spent = Table(), Table(), []
    for case in cases:
        scene = Scene.of(load(case), folds)
        spent.append(one_finished(scene, away))
        every_nth_finished(scene, between)
    seconds, slices = (float(sum(part)) for part in zip(*spent, strict=True))
    for title, table, columns in (("slices away", away, DISTANCES), ("every", between, EVERY)):
        sys.stdout.write(
            f"| {title} | " + " | ".join(map(str, columns)) + " |\n" + "\n".join(table.lines(columns)) + "\n"
        )
    sys.stdout.write(f"{len(cases)} cases, {1e3 * seconds / slices:.0f} ms a slice\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
