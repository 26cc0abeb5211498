"""CPU seconds of measures on a case of 40 slices of 512 x 512, beside MONAI (models) and DeepMind's package (readers).

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.agreement_speed

Three readers' masks of a body of 800 ml, each bent by 1.5 mm. Results are checked to be equal before they are timed.
Prints tables for `docs/results`.
"""

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from datasets.image.mask import Inside
from datasets.image.volume import Grid
from training.adjudication.disagreement import disagreement
from training.adjudication.proposals import staple
from training.annotators.faults import bent_mask
from training.measures.metrics import SURFACE_TOLERANCE_MM, agreement, overlap
from training.measures.readers import mask_agreement, pairs_of_readers, slice_agreement
from training.measures.shape import shape_of

GRID = Grid((512, 512, 40), np.diag([0.6, 0.6, 4.0, 1.0]))
RADII_MM = (60.0, 45.0, 70.0)
BEND_MM = 1.5
MONAI_GOAL, DEEPMIND_GOAL = 0.15, 0.6


def readings() -> dict[str, Inside]:
    """Three readers' masks of an ellipsoid."""
    away = [
        ((np.arange(size) - size / 2) * spacing / radius) ** 2
        for size, spacing, radius in zip(GRID.shape, GRID.spacing, RADII_MM, strict=True)
    ]
    body = away[0][:, None, None] + away[1][:, None] + away[2] <= 1
    random = np.random.default_rng(0)
    return {name: bent_mask(body, GRID, bend_mm=BEND_MM, random=random) for name in "abc"}


def deepmind(one: Inside, other: Inside) -> tuple[float, ...]:
    """Dice, HD95 and surface Dice by DeepMind's package."""
    import surface_distance as peer

    found = peer.compute_surface_distances(one, other, GRID.spacing)
    return (
        peer.compute_dice_coefficient(one, other),
        peer.compute_robust_hausdorff(found, 95),
        peer.compute_surface_dice_at_tolerance(found, SURFACE_TOLERANCE_MM),
    )


def monai(one: Inside, other: Inside) -> tuple[float, ...]:
    """Dice, ASSD, HD95 and surface Dice by voxels, by MONAI."""
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
    settings = {"include_background": True, "spacing": list(GRID.spacing)}
    found = (
        compute_dice(a, b),
        compute_average_surface_distance(a, b, symmetric=True, **settings),
        compute_hausdorff_distance(a, b, percentile=95, **settings),
        compute_surface_dice(a, b, [SURFACE_TOLERANCE_MM], **settings),
    )
    return tuple(map(float, found))


def models_measures(one: Inside, other: Inside) -> tuple[float, ...]:
    """The same as MONAI, as models are evaluated."""
    found = overlap(one, other, GRID)
    return found.dice, found.assd_mm or 0.0, found.hd95_mm or 0.0, found.surface_dice_1mm


def readers_measures(one: Inside, other: Inside) -> tuple[float, ...]:
    """The same as DeepMind's package, as readers are compared."""
    found = mask_agreement(one, other, GRID)
    return found.dice, found.hd95_mm or 0.0, found.surface_dice_1mm


def seconds_of(call: Callable[[], object], *, times: int = 5) -> float:
    """The fewest CPU seconds of several calls after a first one; a busy machine makes them more, never fewer."""
    call()
    found = []
    for _ in range(times):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    return min(found)


def beside_peers(one: Inside, other: Inside) -> None:
    """Ours and a peer's seconds for the same measures, after their results were found equal."""
    sys.stdout.write("| the same measures of two masks | ours | peer | ours / peer | goal |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: | ---: |\n")
    for words, ours, peer, goal in (
        ("MONAI: Dice, ASSD, HD95, surface Dice by voxels", models_measures, monai, MONAI_GOAL),
        ("DeepMind: Dice, HD95, surface Dice by area", readers_measures, deepmind, DEEPMIND_GOAL),
    ):
        np.testing.assert_allclose(ours(one, other), peer(one, other), rtol=1e-5)
        mine, theirs = (seconds_of(lambda call=call: call(one, other)) for call in (ours, peer))
        sys.stdout.write(f"| {words} | {mine:.3f} s | {theirs:.3f} s | {mine / theirs:.2f} | ≤ {goal} |\n")


def main() -> None:
    """Writes the tables to standard output."""
    masks = readings()
    one, other = masks["a"], masks["b"]
    beside_peers(one, other)
    rows: dict[str, Callable[[], object]] = {
        "a model's mask: all measures, with volumes, diameters and lesions": lambda: agreement(one, other, GRID, 2),
        "two readers: Dice, surface Dice, HD95, volumes": lambda: mask_agreement(one, other, GRID),
        "the same in each slice": lambda: slice_agreement(one, other, GRID, 2),
        "three readers, each two": lambda: pairs_of_readers(masks, GRID),
        "regions in which three readers differ": lambda: disagreement(masks, GRID, 2),
        "STAPLE of three": lambda: staple(masks),
        "shape of one mask: diameters, holes, pieces, jumps": lambda: shape_of(one, GRID, 2),
    }
    sys.stdout.write("\n| what | CPU seconds |\n| --- | ---: |\n")
    for words, call in rows.items():
        sys.stdout.write(f"| {words} | {seconds_of(call):.2f} |\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
