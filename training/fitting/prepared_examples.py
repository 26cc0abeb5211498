"""Training examples by what they hold: from where prepared cases are kept, and the digest of all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from datasets.files import canonical_json, sha256_of_bytes
from training.fitting.examples import Example
from training.fitting.running.prepared import Arrays, PreparedCases, digest_of
from training.inputs.kinds import image_of


def prepared_arrays(
    example: Example,
    channels: Sequence[str],
    rule: Mapping[str, Any],
    *,
    prepared: PreparedCases | None,
    make: Callable[[], Arrays],
) -> Arrays:
    """An example as a network sees it, from where prepared cases are kept, or made.

    Args:
        example: Images and mask.
        channels: Kinds of the images.
        rule: How they are prepared, as plain JSON values.
        prepared: Where they are kept; None for nowhere.
        make: Makes the arrays.

    Raises:
        RejectedInput: An image is missing.
    """
    if prepared is None:
        return make()
    return prepared.arrays(example.patient, _digest(example, channels, rule), make)


def inputs_of(examples: Sequence[Example], channels: Sequence[str]) -> str:
    """SHA-256 of images and masks, whatever the examples' order.

    Args:
        examples: That are learned from, those among them that only tell when a training gets no better.
        channels: Kinds of the images.

    Raises:
        RejectedInput: An image is missing.
    """
    told = [[each.case, each.patient, _digest(each, channels, {})] for each in examples]
    return sha256_of_bytes(canonical_json(sorted(told)))


def _digest(example: Example, channels: Sequence[str], rule: Mapping[str, Any]) -> str:
    images = {name: image_of(example.volumes, name) for name in channels}
    depends = {f"{name} voxels": volume.data for name, volume in images.items()}
    depends |= {f"{name} affine": np.asarray(volume.grid.affine) for name, volume in images.items()}
    depends |= {"mask voxels": example.mask.foreground, "mask affine": np.asarray(example.mask.grid.affine)}
    return digest_of(depends, {**rule, "images": list(channels), "slice_axis": example.plane.slice_axis})
