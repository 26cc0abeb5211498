"""Arguments of the commands that work on a folder of images and masks, without the database."""

import os
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from typing import Any

from annotation_backend.commandline.arguments import a_path
from datasets.errors import RejectedInput
from datasets.study.image_kind import USUAL_WORDS, is_kind

_NAMED = re.compile(r"([A-Za-z0-9-]{1,16})=(.+)", re.DOTALL)

Named = tuple[str, str]
"""A kind of image, empty where none was named, and the value given for it."""


def named(value: str) -> Named:
    """A kind of image and its value of ``t1=x``; no kind, and the value, of ``x`` alone.

    Raises:
        ArgumentTypeError: The name is that of no kind of image.
    """
    matched = _NAMED.fullmatch(value)
    if matched and is_kind(matched[1]):
        return matched[1], matched[2]
    if matched or not value:
        names = ", ".join(f"{each}=" for each in USUAL_WORDS)
        raise ArgumentTypeError(
            f"no kind of image has this name; write {names}, more closely t2-fs= or t1-ce=, or no name before the files"
        )
    return "", value


def by_kind(given: Sequence[Named], first: str) -> dict[str, str]:
    """The value given for each kind of image; one without a name is for `first`.

    Raises:
        RejectedInput: Nothing was given, or a kind twice.
    """
    found = [(name or first, value) for name, value in given]
    if not found or len(dict(found)) < len(found):
        raise RejectedInput(
            "images-named",
            f"Expected each image once, got {', '.join(name for name, _ in found) or 'none'}.",
            remedy="Name each, e.g. t1=… t2=…; one without a name is the model's first.",
        )
    return dict(found)


def add_cohort(parser: ArgumentParser, *, required: bool) -> None:
    """Adds --cohort, --image-glob, --mask-glob, --mask-value and --resample."""
    parser.add_argument(
        "--cohort", type=a_path, required=required, metavar="FOLDER", help="folder with the cases' files"
    )
    parser.add_argument(
        "--image-glob",
        type=named,
        nargs="+",
        action="extend",
        default=[],
        required=required,
        metavar="[NAME=]GLOB",
        help="images below the folder, e.g. t1='*/T1.nii.gz' (t1, t2, ct, pet); without a name, the model's first",
    )
    parser.add_argument("--mask-glob", required=required, metavar="GLOB", help="masks, with the same stars")
    parser.add_argument(
        "--mask-value",
        default="",
        metavar="VALUE",
        help="which value of the masks is the tumour: 2, or 1,2 for both together, or a label's name in dataset.json",
    )
    parser.add_argument("--resample", action="store_true", help="bring images on other grids onto the mask's")


def add_device(parser: ArgumentParser) -> None:
    """Adds --device."""
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU where there is one")


def use_device(options: Mapping[str, Any]) -> None:
    """Lets networks run on the device that was asked for; to be called before anything is loaded."""
    if options["device"]:
        os.environ["MASKLOOP_DEVICE"] = options["device"]
