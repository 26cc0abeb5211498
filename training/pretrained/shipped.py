"""The models that come with Maskloop: packages beside this file, each with its card."""

from collections.abc import Mapping
from pathlib import Path

from training.model_package import DESCRIPTION_NAME

_FOLDER = Path(__file__).resolve().parent


def shipped_packages() -> Mapping[str, Path]:
    """Folder of each model that came with this version, by the folder's name (``six-points``), in order."""
    return {path.parent.name: path.parent for path in sorted(_FOLDER.glob(f"*/{DESCRIPTION_NAME}"))}
