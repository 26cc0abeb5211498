"""Checks a folder or an archive before it is ingested: it holds studies, and nothing of our own."""

from pathlib import Path

from django.conf import settings

from annotation_backend.environment import ROOT
from datasets.errors import RejectedInput

PHANTOM = "phantom"
"""The cohort that `up` writes into a study's folder where nobody has data of their own."""


def studies_folder(given: Path) -> Path:
    """The whole path of a folder of studies.

    Raises:
        RejectedInput: It is not there (``no-such-folder``); or it is, holds or lies in the data folder or the checkout
            (``own-folder``): files that Maskloop itself wrote would become new patients.
    """
    try:
        folder = given.resolve()
        is_there = folder.is_dir()
    except (OSError, RuntimeError):  # a name that is too long, or links in a circle
        is_there = False
    if not is_there:
        raise RejectedInput(
            "no-such-folder",
            "There is no folder of that name, or it cannot be opened.",
            remedy="Give the folder with the studies.",
        )
    data = Path(settings.DATA_FOLDER).resolve()
    if not (folder.is_relative_to(data) and _is_phantom(folder.relative_to(data).parts)):
        _require_foreign(folder)
    return folder


def dataset_place(given: Path) -> Path:
    """The whole path of a published dataset: a folder, or the file of an archive.

    Raises:
        RejectedInput: As `studies_folder`.
    """
    try:
        path = given.resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError):
        is_file = False
    if not is_file:
        return studies_folder(given)
    _require_foreign(path)
    return path


def _require_foreign(path: Path) -> None:
    own_places = ((Path(settings.DATA_FOLDER), "Maskloop's own data folder"), (ROOT, "Maskloop's checkout"))
    for own, name in ((place.resolve(), name) for place, name in own_places):
        if path.is_relative_to(own) or own.is_relative_to(path):
            raise RejectedInput(
                "own-folder",
                f"This folder or file is, holds or lies in {name}.",
                remedy="Put the studies into a folder outside of it, and give that.",
            )


def _is_phantom(parts: tuple[str, ...]) -> bool:
    """Whether a path in the data folder lies in the first study's phantom cohort, or in that of another one."""
    return parts[:1] == (PHANTOM,) or (parts[:1] == ("studies",) and parts[2:3] == (PHANTOM,))
