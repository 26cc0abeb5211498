"""A small 3D network, fitted in a process of its own: to be killed, to run out of disk, or to be one of several.

torchrun --standalone --nproc-per-node 2 -m tests.training.support.fit_child FOLDER ACCUMULATE
"""

import resource
import sys
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.files import write_json
from tests.training.support.ball_examples import ball_example
from training.fitting.running.processes import is_first
from training.fitting.running.running import Running
from training.fitting.running.settings import LoopSettings
from training.fitting.volumes import VolumeSettings, fit_volumes

CHECKPOINT, AT, DONE, REFUSED = "checkpoint.safetensors", "at", "done.json", "refused"


def settings(*, iterations: int = 12, accumulate: int = 1, batch: int = 1) -> VolumeSettings:
    """Of a fit that takes a second."""
    loop = LoopSettings(iterations=iterations, checkpoint_every=3, learning_rate=1e-2, accumulate=accumulate)
    return VolumeSettings(loop, widths=(4, 8, 8), budget=1500, batch=batch, supervised=1)


def fit(folder: Path, wanted: VolumeSettings) -> list[float]:
    """Fits, telling in a file how far it is; writes losses and weights at the end."""

    def progress(done: int, _all: int, _loss: float) -> None:
        (folder / AT).write_text(str(done))

    examples = [ball_example(number, shape=(18, 16, 9)) for number in range(3)]
    told = progress if is_first() else None
    running = Running(precision="full")  # what bf16 rounds depends on how a batch is split
    _, tensors, losses = fit_volumes(examples, wanted, checkpoint=folder / CHECKPOINT, progress=told, running=running)
    if is_first():
        weights = {name: tensor.astype(float).ravel().tolist() for name, tensor in tensors.items()}
        write_json(folder / DONE, {"losses": losses, "weights": weights})
    return losses


def fit_on_little_disk(folder: Path, wanted: VolumeSettings, most_bytes: int) -> None:
    """Fits where no file may be larger than some bytes; writes the refusal's code into a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        fit(folder, wanted)
    except RejectedInput as refused:
        (folder / REFUSED).write_text(refused.code)
        raise


if __name__ == "__main__":
    fit(Path(sys.argv[1]), settings(accumulate=int(sys.argv[2])))
