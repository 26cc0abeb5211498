"""MedSAM's published weights (ViT-B): their one-off conversion from a file or folder that the user has.

They are 375 MB and not ours to distribute, so nothing is fetched: download ``medsam_vit_b.pth`` or a folder of
transformers' SamModel (``config.json``, ``model.safetensors``) by hand, then convert it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.gate import opened
from training.model_package import ModelDescription, write_package
from training.pretrained.checkpoint import checkpoint_tensors
from training.table.rows.medsam_vit import METHOD

_RULE = {"low_percentile": 0.5, "high_percentile": 99.5, "foreground_only": True}

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"


def convert_medsam_vit(source: Path, destination: Path, *, version: str = "1") -> str:
    """Converts MedSAM's weights to the model package ``medsam-vit``.

    Args:
        source: MedSAM's own checkpoint (``medsam_vit_b.pth``, segment-anything's names), or a folder with the
            ``config.json`` and ``model.safetensors`` of transformers' SamModel.
        destination: Folder of the package. The same package that lies there already is kept.
        version: Version of the package; give another one to other weights.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: The source is missing, damaged, pickled with more than tensors, or another architecture; or
            another model lies at `destination`.
    """
    weights = source / _WEIGHTS if source.is_dir() else source
    content = _read(weights)
    tensors = _folder_tensors(source, content) if source.is_dir() else _published_tensors(content)
    description = ModelDescription(
        name="medsam-vit",
        version=version,
        method=METHOD,
        parameters=_RULE | {"architecture": _fitting_architecture(tensors)},
        inputs={"published_weights": sha256_of_bytes(content)},
    )
    return write_package(destination, description, {name: _full(tensor) for name, tensor in tensors.items()})


def _published_tensors(content: bytes) -> dict[str, Any]:
    """Tensors of a checkpoint with segment-anything's names, under SamModel's."""
    from training.networks.medsam_vit import as_transformers

    return as_transformers(checkpoint_tensors(content))


def _folder_tensors(folder: Path, content: bytes) -> dict[str, Any]:
    """Tensors of a SamModel that transformers saved; whole, and loaded from this folder only."""
    from transformers import SamModel

    _require_sam(folder / _CONFIG)
    try:
        network, report = SamModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # a config of strange values fails in any way
        raise RejectedInput(
            "medsam-vit-damaged",
            f"{_CONFIG} and {_WEIGHTS} do not load as a SamModel.",
            remedy="Download the folder again and compare the files' sizes.",
        ) from error
    if any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        _refuse_architecture()
    return dict(network.state_dict())


def _require_sam(path: Path) -> None:
    """Refuses the config of another model: transformers would build a SAM from it with only a warning."""
    try:
        config = json.loads(path.read_bytes())
        kind = config["model_type"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RejectedInput(
            "medsam-vit-folder",
            f"The folder has no {_CONFIG} that can be read.",
            remedy="Give the folder that transformers' save_pretrained wrote, or MedSAM's own medsam_vit_b.pth.",
        ) from error
    if kind != "sam":
        _refuse_architecture()


def _fitting_architecture(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes read from the tensors, after a network of these sizes loaded all of them."""
    from training.networks.medsam_vit import SamArchitecture, medsam_vit

    try:
        architecture = SamArchitecture.from_tensors(tensors)
        medsam_vit(architecture).load_state_dict(dict(tensors), strict=True)
    except (KeyError, ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        _refuse_architecture(cause=error)
    return architecture.parameters


def _full(tensor: Any) -> Any:
    return tensor.detach().float().numpy()


def _read(path: Path) -> bytes:
    try:
        with opened(path) as stream:
            return stream.read()
    except (OSError, RejectedInput) as error:
        if isinstance(error, RejectedInput) and error.code == "file-empty":
            return b""  # who reads it says that it is damaged
        raise RejectedInput(
            "medsam-vit-missing",
            "There are no weights of MedSAM at this path that can be read.",
            remedy=f"Download medsam_vit_b.pth, or a folder with {_CONFIG} and {_WEIGHTS}, and give its path; "
            "nothing is fetched from here.",
        ) from error


def _refuse_architecture(*, cause: Exception | None = None) -> NoReturn:
    raise RejectedInput(
        "medsam-vit-architecture",
        "The tensors are not those of a SAM with a plain vision transformer, such as MedSAM's ViT-B.",
        remedy="Give medsam_vit_b.pth or a SamModel; LiteMedSAM, MobileSAM and SAM 2 are other networks.",
    ) from cause
