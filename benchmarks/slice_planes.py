"""Three planes and eight copies of every slice: the segmenter against a plain loop, slice by slice and copy by copy.

    python -m benchmarks.slice_planes [--size 160 160 48] [--network residual] [--threads 2] [--patient FILE]

Both draw with the same random weights; their probabilities are compared first. The plain loop is that of the tests
(`tests/training/support/plain_planes.py`) on torch; between the two stands the same batched way on torch alone, so that
one sees what comes of batches and what of the runtime. All have as many threads. Where other programs run, the clock
measures who waited longer for the others; seconds of cores tell more, but do not tell how well two cores are used.
Without a patient's file the images are noise with a ball.
"""

import argparse
import logging
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from datasets.formats.nifti import read_volume
from datasets.image.volume import Grid, Volume
from tests.training.support.plain_planes import plain_logits
from training.inputs.slice_triplets import PictureRule
from training.networks.slice_networks import SliceNetwork, slice_network
from training.runtime import TorchRuntime, runtime_of
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.slices.slice_plan import Copies, Crop, Planes, SlicePlan
from training.segmenters.slices.slice_segmenter import SliceSegmenter

logger = logging.getLogger("benchmarks.slice_planes")

TOLERANCE = 1e-3
"""Largest difference of a probability that still counts as equal."""

MOST = 0.5
"""Largest part of the plain loop's time."""

WIDTHS = (16, 32, 64, 128, 256)


def main() -> int:
    """Compares, then measures; 1 where the answers differ or the segmenter is too slow."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asked = arguments()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    network = slice_network(SliceNetwork(asked.network), images=1, widths=WIDTHS).eval()
    plan = SlicePlan(
        PictureRule(),
        widths=WIDTHS,
        architecture=SliceNetwork(asked.network),
        planes=Planes.THREE,
        copies=Copies.ALL,
        crop=Crop.BODY,
    )
    volume = patient(asked.patient) if asked.patient else phantom(tuple(asked.size))
    request = SegmentationRequest({"t1": volume}, "t1")
    device = torch.device("cpu")
    ways = {
        "segmenter": SliceSegmenter([runtime_of(network, device=device)], plan, ("t1",), title="a-1"),
        "segmenter, torch alone": SliceSegmenter([TorchRuntime(network, device=device)], plan, ("t1",), title="b-1"),
    }
    seconds: dict[str, float] = {}
    busy: dict[str, float] = {}

    def plain() -> np.ndarray:
        logits = plain_logits([network], plan, {"t1": volume}, slice_axis=2)
        return torch.from_numpy(logits).sigmoid().numpy()

    calls: dict[str, Callable[[], np.ndarray]] = {"plain loop": plain}
    calls |= {name: lambda way=way: np.asarray(way.segment(request).probability.data) for name, way in ways.items()}
    answers = {name: call() for name, call in calls.items()}  # which also warms them up
    differences = {name: float(np.abs(each - answers["plain loop"]).max()) for name, each in answers.items()}
    for _ in range(asked.repeats):
        for name, call in calls.items():
            started, worked = time.perf_counter(), time.process_time()
            call()
            seconds[name] = min(seconds.get(name, np.inf), time.perf_counter() - started)
            busy[name] = min(busy.get(name, np.inf), time.process_time() - worked)
    logger.info(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {volume.grid.shape} voxels"
    )
    for name, taken in seconds.items():
        share, work = taken / seconds["plain loop"], busy[name] / busy["plain loop"]
        logger.info(
            f"{name:24} {taken:8.2f} s ({share:.2f} of the loop)  {busy[name]:8.2f} s of cores ({work:.2f})  "
            f"largest difference {differences[name]:.1e}"
        )
    is_equal = max(differences.values()) <= TOLERANCE
    is_fast = seconds["segmenter"] <= MOST * seconds["plain loop"]
    logger.info(f"equal: {is_equal}; at most {MOST} of the loop's time: {is_fast}")
    return 0 if is_equal and is_fast else 1


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(160, 160, 48))
    parser.add_argument("--network", choices=[each.value for each in SliceNetwork], default="residual")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patient", type=Path, help="a NIfTI image instead of the phantom")
    return parser.parse_args()


def phantom(shape: tuple[int, int, int]) -> Volume:
    """Noise with a bright ball; 1 x 1 x 3 mm."""
    random = np.random.default_rng(0)
    image = 100.0 + random.normal(0.0, 8.0, shape)
    away = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    image[np.linalg.norm(away, axis=0) < 0.4] += 60.0
    return Volume(image.astype(np.float32), Grid(shape, np.diag([-1.0, -1.0, 3.0, 1.0])))


def patient(path: Path) -> Volume:
    """A patient's image."""
    return read_volume(path)


if __name__ == "__main__":
    raise SystemExit(main())
