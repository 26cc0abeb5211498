"""What the commands that import models share."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.learning.models import Snapshot
from annotation_backend.registry.model_registry import models_folder, register_package
from annotation_backend.registry.models import Model
from datasets.study.image_kind import USUAL_WORDS, is_kind
from training.model_package import read_description, require_name

if TYPE_CHECKING:
    from training.exchange.imported import Imported

_OTHERS = re.compile(r"[^a-z0-9]+")
_WAYS = ("RL", "AP", "SI")


def a_kind(word: str) -> str:
    """An argparse type: the kind of an image.

    Raises:
        ArgumentTypeError: No kind has this word.
    """
    if not is_kind(word):
        raise ArgumentTypeError(f"no kind of image has this name; write one such as {', '.join(USUAL_WORDS)}")
    return word


def axcodes(word: str) -> str:
    """An argparse type: where the three axes of a file run.

    Raises:
        ArgumentTypeError: It is not one letter of each pair.
    """
    code = word.upper()
    if len(code) != 3 or not all(set(pair) & set(code) for pair in _WAYS):
        raise ArgumentTypeError("expected three letters such as RAS or LPS: R or L, A or P, S or I, in the axes' order")
    return code


def name_of(given: str | None, folder: Path) -> str:
    """The model's name: as given, or the folder's in small letters and hyphens."""
    return given or _OTHERS.sub("-", folder.resolve().name.lower()).strip("-")[:60] or "imported"


def registered_or_written(
    command: MaskloopCommand, write: "Callable[[Path], Imported]", *, name: str, version: str, folder: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Writes a package to a folder that was named, or to the data folder, where it is registered.

    Args:
        command: That speaks.
        write: Writes the package to a folder.
        name: Of the model.
        version: Of the model.
        folder: That was named; None for the data folder.

    Returns:
        The result as plain values, and findings.

    Raises:
        RejectedInput: As `write`; name and version are none (``model-name``), or are taken.
    """
    require_name(name, version)
    place = folder or models_folder() / f"{name}-{version}"
    found = write(place)
    if folder is not None:
        command.say(f"Imported. `segment_volume --model {folder}` draws with it.")
        return {"folder": str(folder), "digest": found.digest}, list(found.findings)
    model = _registered(place)
    command.say(f"{model}: registered. `manage.py promote_model {model}` lets it serve.")
    return {"model": str(model), "digest": found.digest}, list(found.findings)


def _registered(package: Path) -> Model:
    """The model of a package, traced to the snapshot that it learned from where that is ours."""
    digest = read_description(package).inputs.get("snapshot", "")
    snapshot = Snapshot.objects.filter(digest=digest).first()
    if snapshot is None:
        return register_package(package)
    return register_package(package, snapshot_digest=digest, study=snapshot.study)
