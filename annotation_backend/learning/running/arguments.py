"""The arguments of `train_model` that say how it runs, and what nothing but speed and memory depends on."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from annotation_backend.commandline.arguments import a_path
from annotation_backend.learning.running.prepared import prepared_cases
from training.fitting.running.running import Running


def add_running(parser: ArgumentParser) -> None:
    """Adds --accumulate, --patience, --precision, --compile, --tensorboard, --no-prepared and --scheduler."""
    group = parser.add_argument_group("how it runs")
    group.add_argument(
        "--accumulate",
        type=int,
        default=1,
        metavar="N",
        help="add up the gradients of N batches before a step, for batches that the memory does not hold",
    )
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="set a fifth of the training patients aside, look at them every 25 iterations, and stop after N looks "
        "without a better loss",
    )
    group.add_argument(
        "--precision",
        choices=("auto", "full", "half"),
        default="auto",
        help="auto: bf16 where the device multiplies it, fp16 on other GPUs; full: 32 bits; half: fp16",
    )
    group.add_argument("--compile", action="store_true", help="compile networks with torch.compile")
    group.add_argument(
        "--tensorboard", type=a_path, metavar="FOLDER", help="write loss, rate, Dice and pictures there for TensorBoard"
    )
    group.add_argument("--no-prepared", action="store_true", help="do not keep cases as networks see them")
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="with --cohort and --folds: train folds on a Dask cluster (tls://…), all of whose machines see the same "
        "folders",
    )


def running_of(options: Mapping[str, Any]) -> Running:
    """How a training runs, as the options say."""
    return Running(
        precision=options["precision"],
        compiles=options["compile"],
        board=options["tensorboard"],
        prepared=None if options["no_prepared"] else prepared_cases(),
    )
