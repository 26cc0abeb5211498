"""CPU seconds of readers' agreement on a case of 40 slices of 512 x 512, beside DeepMind's package and MONAI.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.agreement_speed

Three readers' masks of a body of 800 ml, each bent by 1.5 mm. Prints a table for `docs/results`.
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
from training.measures.metrics import SURFACE_TOLERANCE_MM
from training.measures.readers import mask_agreement, pairs_of_readers, slice_agreement
from training.measures.shape import shape_of

GRID = Grid((512, 512, 40), np.diag([0.6, 0.6, 4.0, 1.0]))
RADII_MM = (60.0, 45.0, 70.0)
BEND_MM = 1.5


def readings() -> dict[str, Inside]:
    """Three readers' masks of an ellipsoid."""
    away = [
        ((np.arange(size) - size / 2) * spacing / radius) ** 2
        for size, spacing, radius in zip(GRID.shape, GRID.spacing, RADII_MM, strict=True)
    ]
    body = away[0][:, None, None] + away[1][:, None] + away[2] <= 1
    random = np.random.default_rng(0)
    return {name: bent_mask(body, GRID, bend_mm=BEND_MM, random=random) for name in "abc"}


def deepmind(one: Inside, other: Inside) -> None:
    """Surface Dice and HD95 by DeepMind's package."""
    import surface_distance as peer

    found = peer.compute_surface_distances(one, other, GRID.spacing)
    peer.compute_surface_dice_at_tolerance(found, SURFACE_TOLERANCE_MM)
    peer.compute_robust_hausdorff(found, 95)


def monai(one: Inside, other: Inside) -> None:
    """Surface Dice by area and HD95 by voxels, by MONAI."""
    import torch
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    spacing = list(GRID.spacing)
    a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
    compute_surface_dice(a, b, [SURFACE_TOLERANCE_MM], include_background=True, spacing=spacing, use_subvoxels=True)
    compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)


def main() -> None:
    """Writes the table to standard output."""
    masks = readings()
    one, other = masks["a"], masks["b"]
    rows: dict[str, Callable[[], object]] = {
        "two readers: Dice, surface Dice, HD95, volumes": lambda: mask_agreement(one, other, GRID),
        "the same in each slice": lambda: slice_agreement(one, other, GRID, 2),
        "three readers, each two": lambda: pairs_of_readers(masks, GRID),
        "regions in which three readers differ": lambda: disagreement(masks, GRID, 2),
        "STAPLE of three": lambda: staple(masks),
        "shape of one mask: diameters, holes, pieces, jumps": lambda: shape_of(one, GRID, 2),
        "DeepMind's package, two readers": lambda: deepmind(one, other),
        "MONAI, two readers": lambda: monai(one, other),
    }
    sys.stdout.write("| what | CPU seconds |\n| --- | ---: |\n")
    for words, call in rows.items():
        call()
        began = time.process_time()
        call()
        sys.stdout.write(f"| {words} | {time.process_time() - began:.2f} |\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
