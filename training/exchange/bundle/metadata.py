"""`metadata.json` and the README of a bundle. Who made it, and of whom it learned, stays out: only digests are said.

Source: MONAI Bundle Specification (docs/source/mb_specification.rst of MONAI).
"""

from typing import Any

from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality
from training.exchange.bundle.networks import BundleNetworks
from training.learned_cases import learned_digests
from training.model_package import ModelDescription

_PACKAGES = ("monai", "torch", "numpy")

_NOT_FOR_PATIENTS = "For research; not a medical device."

_README = """# {title}

{description}

{use}

Weights: `models/model.pt` (a state dict, read with `weights_only=True`) and the same tensors in
`models/model.safetensors`, each once. Provenance: `configs/metadata.json` holds the digest of the model's package and
those of what it learned from, and of the name of each case. {licence}
"""

_RUN = """Needs MONAI, nibabel and scikit-image, and nothing else. Lay each case in a folder of its own with the files
{files}, on one grid, and run, in Python:

    from monai.bundle import ConfigWorkflow
    workflow = ConfigWorkflow("configs/inference.json", meta_file="configs/metadata.json", workflow_type="infer",
                              logging_file=False, bundle_root=".", dataset_dir="cases", output_dir="masks")
    workflow.initialize(); workflow.run(); workflow.finalize()"""

_NETWORK_ONLY = """This bundle holds the network and its weights alone: {reason}
`monai.bundle.load` gives the network; its input has {channels} channels."""


def metadata(
    description: ModelDescription, networks: BundleNetworks, *, reason: str = "", shape: list[int] | None = None
) -> dict[str, Any]:
    """The metadata of a package's bundle.

    Args:
        description: The package's.
        networks: Its networks.
        reason: Why the bundle holds the network alone; empty where it draws.
        shape: Spatial shape of the network's input; None for any.
    """
    software = dict(description.software)
    monai, torch, numpy = (software.get(name, "0") for name in _PACKAGES)
    others = {"nibabel": "5.0.0", "scikit-image": "0.22.0"}
    label = description.drawn_label
    kept = {name: value for name, value in description.parameters.items() if name != "fit"}
    return {
        "version": description.version,
        "changelog": {description.version: "exported"},
        "monai_version": monai,
        "pytorch_version": torch,
        "numpy_version": numpy,
        "optional_packages_version": others,
        "required_packages_version": others,
        "name": description.title,
        "task": f"Segmentation of {label}",
        "description": f"{description.method.title}: draws {label} on {', '.join(description.kinds)}. {reason}".strip(),
        "authors": "not stated",
        "copyright": "see docs/license.txt",
        "intended_use": _NOT_FOR_PATIENTS,
        "network_data_format": {
            "inputs": {"image": _input(description, networks, shape)},
            "outputs": {"pred": _output(label, networks.definitions[0]["spatial_dims"], shape)},
        },
        "provenance": {
            "package": description.digest,
            "inputs": dict(description.inputs),
            "software": software,
            "method": description.method.name,
            "images": list(description.kinds),
            "label": label,
            "name": description.name,
            "parameters": kept,
            "learned_from": learned_digests(description),
        },
    }


def readme(description: ModelDescription, networks: BundleNetworks, *, reason: str, licence: str) -> str:
    """How the bundle is used."""
    files = ", ".join(f"`{kind}.nii.gz`" for kind in description.kinds)
    use = _NETWORK_ONLY.format(reason=reason, channels=networks.channels) if reason else _RUN.format(files=files)
    about = f"{description.method.title}: draws {description.drawn_label}. {_NOT_FOR_PATIENTS}"
    return _README.format(title=description.title, description=about, use=use, licence=licence)


def _input(description: ModelDescription, networks: BundleNetworks, shape: list[int] | None) -> dict[str, Any]:
    kinds = list(description.kinds)
    modalities = {ImageKind.from_word(kind).modality for kind in kinds}
    is_whole = networks.channels == len(kinds)
    names = kinds if is_whole else [f"input {number}" for number in range(networks.channels)]
    return {
        "type": "image",
        "format": "hounsfield" if modalities == {Modality.CT} else "magnitude",
        "modality": ", ".join(sorted(each.name for each in modalities)),
        "num_channels": networks.channels,
        "spatial_shape": shape or ["*"] * networks.definitions[0]["spatial_dims"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": shape is not None,
        "channel_def": {str(number): name for number, name in enumerate(names)},
    }


def _output(label: str, axes: int, shape: list[int] | None) -> dict[str, Any]:
    return {
        "type": "image",
        "format": "segmentation",
        "num_channels": 1,
        "spatial_shape": shape or ["*"] * axes,
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": shape is not None,
        "channel_def": {"0": label},
    }
