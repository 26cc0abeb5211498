"""A MONAI Bundle as a package. Imports torch.

Our own bundles say which method made them, and become a package of it again; others become an ``imported-bundle``, of
which a person says what it draws, on which images.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from training.exchange.bundle.export import CONFIG, METADATA, PICKLED, SAFE
from training.exchange.bundle.placing import Placing
from training.exchange.bundle.reading import plan_of, read_json
from training.exchange.bundle.weights import bundle_state
from training.exchange.imported import UNKNOWN_CASES, Imported, channel_findings, names_by_number
from training.learned_cases import DIGESTS, fit_of, learned_digests
from training.model_package import ModelDescription, write_package
from training.segmenters.imported.bundle import bundle_network, bundle_steps
from training.segmenters.imported.bundle_plan import BundlePlan
from training.segmenters.weights import as_members, tensors_of, with_weights
from training.table.method import function_called
from training.table.table import method_called

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHOWN = 40


def import_bundle(
    folder: Path,
    package: Path,
    *,
    name: str,
    version: str,
    kinds: Sequence[str] = (),
    label: str = "",
    channel: int | None = None,
    axcodes: str = "",
    spacing: Sequence[float] = (),
) -> Imported:
    """Writes the package of a bundle. A bundle of ours says itself all that comes after the version.

    Args:
        folder: The bundle.
        package: Folder of the package.
        name: Of the model.
        version: Of the model.
        kinds: Of the images, in the order of the channels.
        label: That it draws.
        channel: Of the output that is the label; None for the only one that is not background.
        axcodes: Where the axes of the images run that it learned from; empty where its transforms turn them.
        spacing: Millimetres of the voxels that it learned from; () where its transforms say it.

    Raises:
        RejectedInput: The bundle holds code (``bundle-code``) or pickled weights (``bundle-pickled``), lacks a file
            (``bundle-missing``), does something else than is done here (``bundle-unmapped``), takes other images
            (``bundle-images``), says itself what was given (``bundle-own``, ``bundle-placed``), nobody says what it
            draws (``bundle-class``, ``bundle-label``), or its weights are another network's (``package-network``).
    """
    document = read_json(folder / METADATA)
    state = bundle_state(folder)
    placing = Placing(axcodes, tuple(spacing))
    if (own := _own(document, name, version, folder)) is not None:
        _require_unsaid(own, kinds, label, is_more=channel is not None or placing.says)
        tensors = _own_tensors(own, state)
        function_called(own.method.load)(own, tensors)  # refuses what is not such a model
        return Imported(write_package(package, own, tensors), () if learned_digests(own) else (UNKNOWN_CASES,))
    inputs, outputs = _called(document, "inputs"), _called(document, "outputs")
    plan, findings = plan_of(read_json(folder / CONFIG), channel=channel, placing=placing, called=outputs)
    if len(kinds) != plan.inputs:
        raise RejectedInput(
            "bundle-images",
            f"The network takes {plan.inputs} image(s), and {len(kinds)} kind(s) were named.",
            remedy="Name the kind of each input channel with --images, in their order.",
        )
    findings += channel_findings(inputs, kinds, code="bundle-images")
    findings += _label_findings(label, plan.channel, outputs)
    description = ModelDescription(
        name,
        version,
        method_called("imported-bundle"),
        plan.parameters,
        _inputs(folder),
        images=tuple(kinds),
        label=label,
    )
    return Imported(write_package(package, description, _checked(plan, state)), (*findings, UNKNOWN_CASES))


def _label_findings(label: str, channel: int, called: Mapping[str, str]) -> list[str]:
    """A finding where the bundle calls what it draws otherwise than a person does.

    Raises:
        RejectedInput: Nobody says what it draws (``bundle-label``).
    """
    name = called.get(str(channel), "")[:_SHOWN]
    if not label:
        raise RejectedInput(
            "bundle-label",
            f"Nobody says which label the bundle's output channel {channel} is"
            + (f"; its metadata calls it {name!r}." if name else "."),
            remedy="Name it with --label.",
        )
    if not name or name.lower() == label.lower():
        return []
    return [f"The bundle calls its output channel {channel} {name!r}; it is taken as {label}. [bundle-label]"]


def _called(document: Mapping[str, Any], side: str) -> dict[str, str]:
    """What a bundle's metadata calls the channels of its input or output; empty where it does not say it."""
    found: Any = document
    for key in ("network_data_format", side):
        found = found.get(key) if isinstance(found, Mapping) else None
    first = next(iter(found.values()), None) if isinstance(found, Mapping) else None
    return names_by_number(first.get("channel_def")) if isinstance(first, Mapping) else {}


def _checked(plan: BundlePlan, state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors, once it is known that the network takes them and MONAI the transforms."""
    bundle_steps(plan)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    tensors = tensors_of(with_weights(bundle_network(plan), arrays, device=torch.device("cpu")))
    # Without the second names of MONAI's DynUNet.
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("skip_layers.")}


def _own(document: Mapping[str, Any], name: str, version: str, folder: Path) -> ModelDescription | None:
    """The description of a bundle that we exported; None for others."""
    said = document.get("provenance")
    if not (isinstance(said, Mapping) and {"method", "parameters", "images", "label", "package"} <= {*said}):
        return None
    try:
        return ModelDescription(
            name,
            version,
            method_called(said["method"]),
            {**said["parameters"], **_fit(said.get("learned_from", []))},
            {**said["inputs"], "package": said["package"], **_inputs(folder)},
            images=tuple(said["images"]),
            label=str(said["label"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedInput(
            "bundle-missing",
            "The bundle's metadata says that Maskloop made it, but not all of how.",
            remedy="Export the model again.",
        ) from error


def _fit(learned: Any) -> dict[str, Any]:
    """Which cases were learned from, by digest; bundles of earlier versions do not say it."""
    members = [[str(digest) for digest in member] for member in learned]
    if not all(_DIGEST.fullmatch(digest) for member in members for digest in member):
        raise ValueError("digests")
    return fit_of(members, key=DIGESTS) if members else {}


def _require_unsaid(own: ModelDescription, kinds: Sequence[str], label: str, *, is_more: bool) -> None:
    """Refuses what a person says of a bundle of ours, and what is not so."""
    if is_more or tuple(kinds) not in ((), own.kinds) or label not in ("", own.drawn_label):
        raise RejectedInput(
            "bundle-own",
            f"The bundle is one of ours: it draws {own.drawn_label} on {', '.join(own.kinds)}, and says how.",
            remedy="Leave out --images, --label, --class, --axcodes and --spacing.",
        )


def _own_tensors(description: ModelDescription, state: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's tensors as our packages name them: those of one network have no number there."""
    arrays = {name.replace(".", "/", 1) if name[:1].isdecimal() else name: each.numpy() for name, each in state.items()}
    if all(name[:1].isdecimal() for name in arrays):
        return {name: each for name, each in arrays.items() if "/skip_layers." not in name}
    return as_members([arrays]) if "members" in description.parameters else arrays


def _inputs(folder: Path) -> dict[str, str]:
    weights = SAFE if (folder / SAFE).is_file() else PICKLED
    return {"bundle_metadata": sha256_of_file(folder / METADATA), "bundle_weights": sha256_of_file(folder / weights)}
