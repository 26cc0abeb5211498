"""A case's mask on one of its slices, label by label, for its outlines on the slice's picture; and its volumes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from annotation_backend.cases.stored.digests import StoredFile, whole_file
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.protocol import Protocol

MASKS_IN_MEMORY = 4

_GREY = "#868e96"
"""Of a label that the protocol has no more."""


@dataclass(frozen=True)
class ShownLabel:
    """A label of a mask in the legend: its name, its colour as ``#rrggbb``, and its volume in millilitres."""

    name: str
    colour: str
    volume_ml: float


def labels_on_slice(
    mask: StoredFile, labels: Mapping[int, str], *, plane: PicturePlane, index: int
) -> dict[str, Inside]:
    """Each label of the mask on a slice in picture orientation, boolean (height, width).

    Args:
        mask: NIfTI mask on the case's grid.
        labels: Name of each value that it may hold.
        plane: How its slices become pictures.
        index: The slice.

    Raises:
        DamagedFile: The mask's file is not the one that was written.
    """
    picture = plane.to_picture(_read(whole_file(mask), mask.sha256).data, index)
    return {name: picture == value for value, name in labels.items()}


def shown_labels(mask: CaseMask, protocol: Protocol) -> list[ShownLabel]:
    """The legend of a mask: its labels in the protocol's order.

    Raises:
        DamagedFile: The mask's file is not the one that was written.
    """
    stored = mask_file(mask)
    whole = _read(whole_file(stored), stored.sha256)
    volumes = Mask(whole.data, whole.grid, mask.label_names).label_volumes_ml()
    return [ShownLabel(name, colour_in(protocol, name), volume) for name, volume in volumes.items()]


def colour_in(protocol: Protocol, label: str) -> str:
    """The colour of a label as ``#rrggbb``; grey for one that the protocol has no more."""
    return {each.name: each.colour for each in protocol.labels}.get(label, _GREY)


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str) -> Mask:
    """A mask that was compared with its digest just now."""
    return read_mask(path)
