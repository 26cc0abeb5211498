"""A model package: a folder with `model.safetensors` and `model.json`, named by one digest, written once.

The description holds the method, its parameters, the model's inputs and the SHA-256 of the weights; the SHA-256 of the
description therefore identifies the whole package. Nothing here unpickles, and nothing here imports torch.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_bytes
from datasets.image.mask import TUMOUR
from datasets.part_folder import part_folder, place_part
from datasets.study.image_kind import is_kind
from training.table.method import Method
from training.table.table import method_called

DESCRIPTION_NAME = "model.json"
WEIGHTS_NAME = "model.safetensors"

Tensors = Mapping[str, NDArray[Any]]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_LATER = ("images", "label")
"""Fields that packages of earlier versions do not have; left out where they say nothing, so that digests stay."""

_DESCRIPTION_LIMIT = 1 << 20
"""Most bytes of a description."""

_PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
"""How torch's archives and bare pickles begin. A safetensors file may by chance, but its ninth byte is a brace."""


@dataclass(frozen=True)
class ModelDescription:
    """A model's method, parameters and provenance.

    Args:
        name: Kebab-case name, e.g. ``lite-medsam``.
        version: Version of that name, e.g. ``1``.
        method: How it draws.
        parameters: Parameters of the network and its preprocessing, as plain JSON values.
        inputs: SHA-256 of each of its inputs, by kind (``published_weights``, ``snapshot``).
        software: Versions of the software that made it.
        weights_sha256: SHA-256 of `model.safetensors`; filled in by `write_package`.
        images: Kinds of the images that it takes (`datasets.study.image_kind`), in the order in which it takes them; ()
            where the parameters of an earlier version say it, or any image will do: see `kinds`.
        label: Name of the label that it draws; empty where an earlier version did not say, or it draws whatever it is
            shown: see `drawn_label`.

    Raises:
        RejectedInput: A field has another form.
    """

    name: str
    version: str
    method: Method
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    software: Mapping[str, str] = field(default_factory=lambda: software_versions())
    weights_sha256: str = ""
    images: tuple[str, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.name) and _VERSION.fullmatch(self.version)):
            _refuse_description("have a kebab-case name and a version of letters, digits, dots and hyphens")
        if not all(_DIGEST.fullmatch(digest) for digest in self.inputs.values()):
            _refuse_description("have the SHA-256 of every input as 64 hexadecimal digits")
        if self.weights_sha256 and not _DIGEST.fullmatch(self.weights_sha256):
            _refuse_description("have the SHA-256 of the weights as 64 hexadecimal digits")
        if not all(map(is_kind, self.images)) or len({*self.images}) < len(self.images):
            _refuse_description("name the kinds of its images, each once, in words that this version knows")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the images that the model takes, in its order; () where any image will do.

        Raises:
            RejectedInput: The package does not say it (``package-parameters``).
        """
        if self.images or self.method.takes_any_image:
            return self.images
        return self.method.earlier_images or _kinds_in(self.parameters)

    @property
    def drawn_label(self) -> str:
        """Name of the label that the model draws; empty for one that draws whatever it is shown."""
        return self.label or ("" if self.method.draws_any_label else TUMOUR)

    @property
    def title(self) -> str:
        """Name and version in one word, as predictions carry it."""
        return f"{self.name}-{self.version}"

    @property
    def encoded(self) -> bytes:
        """The canonical JSON that lies in the package."""
        values = asdict(self) | {"method": self.method.name}
        return canonical_json({name: value for name, value in values.items() if value or name not in _LATER})

    @property
    def digest(self) -> str:
        """SHA-256 of `encoded`: identifies the package, its weights included."""
        return sha256_of_bytes(self.encoded)


def require_name(name: str, version: str) -> None:
    """Refuses a name or a version that no package has, before anything is done for it.

    Raises:
        RejectedInput: ``model-name``.
    """
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version)):
        raise RejectedInput(
            "model-name",
            "A name may hold small letters, digits and hyphens, a version letters, digits, dots and hyphens; "
            "at most 64 characters each.",
            remedy="Correct --name or --model-version.",
        )


def software_versions() -> dict[str, str]:
    """Versions of the installed software that a model's numbers depend on."""
    found = {}
    for name in ("maskloop", "monai", "numpy", "safetensors", "torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_package(folder: Path, description: ModelDescription, tensors: Tensors) -> str:
    """Writes a package, whole or not at all; the same description and tensors give the same bytes.

    Args:
        folder: Folder of the package. A package with the same digest that is there already is kept.
        description: The model's description; its `weights_sha256` is filled in here.
        tensors: Weights by name, any dtype that NumPy knows.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: Something else lies at `folder`, or the description is not plain JSON.
    """
    from safetensors.numpy import save

    weights = save({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()})
    complete = replace(description, weights_sha256=sha256_of_bytes(weights))
    try:
        content = {DESCRIPTION_NAME: complete.encoded, WEIGHTS_NAME: weights}
    except (TypeError, ValueError):
        _refuse_description("have parameters that are plain JSON values")
    if not folder.exists():
        _move_in_when_whole(folder, content)
    if read_description(folder).digest != complete.digest:
        raise RejectedInput(
            "package-exists",
            "The folder already holds another model.",
            remedy="Give the model a new version; a package is never changed.",
        )
    return complete.digest


def read_description(folder: Path) -> ModelDescription:
    """Reads a package's description, without its weights.

    Raises:
        RejectedInput: There is no package, its description is damaged, or this version does not know its method.
    """
    try:
        values = json.loads(_read(folder / DESCRIPTION_NAME, limit=_DESCRIPTION_LIMIT), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse_description("be one JSON document", cause=error)
    expected = {known.name for known in fields(ModelDescription)}
    if not isinstance(values, dict) or expected - {*values} - {*_LATER} or {*values} - expected:
        _refuse_description(f"have the fields {', '.join(sorted(expected))} and no others")
    _require_types(values)
    known = {"method": method_called(values["method"]), "images": tuple(values.get("images", ()))}
    found = ModelDescription(**values | known)
    try:
        found.encoded  # noqa: B018
    except (ValueError, RecursionError) as error:  # an infinite number, half a character
        _refuse_description("have finite numbers and whole characters", cause=error)
    return found


def read_package(folder: Path, *, expected_digest: str) -> tuple[ModelDescription, dict[str, NDArray[Any]]]:
    """Reads a package after checking its digest.

    Args:
        folder: The package.
        expected_digest: The digest that `write_package` returned.

    Returns:
        The description and the tensors by name.

    Raises:
        RejectedInput: Missing, truncated, changed, another model's, pickled, or of an unknown method.
    """
    description = read_description(folder)
    if description.digest != expected_digest:
        _refuse_digest("package-digest", "the model's description", expected=expected_digest, got=description.digest)
    weights = _read(folder / WEIGHTS_NAME)
    _refuse_pickle(weights)
    found = sha256_of_bytes(weights)
    if found != description.weights_sha256:
        _refuse_digest("package-weights-digest", "the weights", expected=description.weights_sha256, got=found)
    return description, _decoded(weights)


def _decoded(weights: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(weights)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise RejectedInput(
            "package-weights",
            "The weights are not in safetensors format.",
            remedy="Write the package again from its source.",
        ) from error


def _move_in_when_whole(folder: Path, content: Mapping[str, bytes]) -> None:
    try:
        with part_folder(folder.parent) as part:
            for name, encoded in content.items():
                write_bytes(part / name, encoded)
            place_part(part, folder)
    except OSError:
        if not folder.exists():
            raise
        # Another process was first; its package is compared with ours.


def _read(path: Path, *, limit: int | None = None) -> bytes:
    try:
        if not path.is_file():
            raise FileNotFoundError
        if limit is not None and path.stat().st_size > limit:
            _refuse_description(f"have at most {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise RejectedInput(
            "package-missing",
            f"The model package has no {path.name} that can be read.",
            remedy="Restore the package from its backup, or convert or train the model again.",
        ) from error


def _require_types(values: Mapping[str, Any]) -> None:
    texts = [values.get(key, "") for key in ("name", "version", "method", "weights_sha256", "label")]
    tables = [values[key] for key in ("parameters", "inputs", "software")]
    if not (all(isinstance(text, str) for text in texts) and all(isinstance(table, dict) for table in tables)):
        _refuse_description("have text and tables in their fields")
    if not all(isinstance(text, str) for table in tables[1:] for text in table.values()):
        _refuse_description("have text for every input and every software version")
    images = values.get("images", [])
    if not (isinstance(images, list) and all(isinstance(word, str) for word in images)):
        _refuse_description("have a list of words for its images")


def _kinds_in(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds of images in the parameters of a method that names them beside their intensity rules.

    Raises:
        RejectedInput: There are none.
    """
    try:
        found = tuple(str(entry["image"]) for entry in parameters["channels"])
        if not found or not all(map(is_kind, found)):
            raise ValueError("channels")
        return found
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedInput(
            "package-parameters",
            "The package does not name the images that the model needs.",
            remedy="Train the model again, or use the version of Maskloop that made it.",
        ) from error


def _refuse_pickle(weights: bytes) -> None:
    if weights.startswith(_PICKLE_STARTS) and weights[8:9] != b"{":
        raise RejectedInput(
            "package-pickled",
            "The weights are a pickle, which could run any code; only safetensors are read.",
            remedy="Convert the checkpoint once with the conversion command of its method.",
        )


def _refuse_digest(code: str, what: str, *, expected: str, got: str) -> NoReturn:
    raise RejectedInput(
        code,
        f"Expected {what} with SHA-256 {expected[:12]}…, got {got[:12]}….",
        remedy="Restore the package from its backup; it was changed or belongs to another model.",
    )


def _refuse_description(rule: str, *, cause: Exception | None = None) -> NoReturn:
    raise RejectedInput(
        "package-description",
        f"A model's description must {rule}.",
        remedy="Restore the package from its backup, or write it again.",
    ) from cause


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
