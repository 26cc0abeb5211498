"""Training examples as networks see them, from where prepared cases are kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

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
    images = {name: image_of(example.volumes, name) for name in channels}
    depends = {f"{name} voxels": volume.data for name, volume in images.items()}
    depends |= {f"{name} affine": np.asarray(volume.grid.affine) for name, volume in images.items()}
    depends |= {"mask voxels": example.mask.foreground, "mask affine": np.asarray(example.mask.grid.affine)}
    told = {**rule, "images": list(channels), "slice_axis": example.plane.slice_axis}
    return prepared.arrays(example.patient, digest_of(depends, told), make)
