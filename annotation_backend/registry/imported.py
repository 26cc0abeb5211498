"""What the commands that import models share."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.registry.model_registry import models_folder, register_package
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.study.image_kind import USUAL_WORDS, is_kind

_OTHERS = re.compile(r"[^a-z0-9]+")


def a_kind(word: str) -> str:
    """An argparse type: the kind of an image.

    Raises:
        ArgumentTypeError: No kind has this word.
    """
    if not is_kind(word):
        raise ArgumentTypeError(f"no kind of image has this name; write one such as {', '.join(USUAL_WORDS)}")
    return word


def name_of(given: str | None, folder: Path) -> str:
    """The model's name: as given, or the folder's in small letters and hyphens."""
    return given or _OTHERS.sub("-", folder.resolve().name.lower()).strip("-")[:60] or "imported"


def registered_or_written(
    command: MaskloopCommand,
    write: Callable[[Path], str],
    *,
    title: str,
    folder: Path | None,
    register: Callable[[Path], Model] = register_package,
) -> dict[str, Any]:
    """Writes a package to a folder that was named, or to the data folder, where it is registered.

    Args:
        command: That speaks.
        write: Writes the package to a folder, and gives its digest.
        title: Name and version.
        folder: That was named; None for the data folder.
        register: Registers a package of the data folder.

    Raises:
        RejectedInput: As `write`, or the name and version are taken.
    """
    if "/" in title or title.startswith("."):
        raise RejectedInput("model-name", "The version cannot be part of a folder's name.", remedy="Give another one.")
    place = folder or models_folder() / title
    digest = write(place)
    if folder is not None:
        command.say(f"Imported. `segment_volume --model {folder}` draws with it.")
        return {"folder": str(folder), "digest": digest}
    model = register(place)
    command.say(f"{model}: registered. `manage.py promote_model {model}` lets it serve.")
    return {"model": str(model), "digest": digest}
