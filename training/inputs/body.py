"""The box around the body: what lies outside it is air, which no network need look at."""

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality

_SHARE = 0.1
"""Share of the 99th percentile above which a voxel of MR or PET is body: air's noise stays below."""

_CT_HU = -300.0
"""Above it is body: fat is -100, lung and air are below."""

_LEAST_PART = 0.05
"""A part is left out that is smaller than this share of the largest: noise, a coil, the table. Two legs are kept."""

_LEAST_VOLUME = 0.02
"""Where less of the image than this would be body, the whole image is taken for it."""

_MARGIN_MM = 10.0

_LOOKED_AT = 128
"""Most voxels along each axis that are looked at."""


def body_box(data: NDArray[np.generic], grid: Grid, kind: str) -> tuple[slice, slice, slice]:
    """The box around the body, 10 mm wider on each side; the whole image where no body is found in it.

    Args:
        data: Image on the grid; CT in HU, PET in SUV.
        grid: Its grid.
        kind: Of the image (`datasets.study.image_kind`).
    """
    whole = (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    steps = [max(1, size // _LOOKED_AT) for size in data.shape]
    seen = np.asarray(data[tuple(slice(None, None, step) for step in steps)], dtype=np.float32)
    body = _large_parts(seen > _threshold(seen, kind))
    found = mask_box(body)
    if found is None or body.mean() < _LEAST_VOLUME:
        return whole
    box = []
    for along, step, size, spacing in zip(found, steps, grid.shape, grid.spacing, strict=True):
        margin = int(np.ceil(_MARGIN_MM / spacing)) + step - 1
        box.append(slice(max(along.start * step - margin, 0), min((along.stop - 1) * step + 1 + margin, size)))
    i, j, k = box
    return i, j, k


def grid_within(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """The grid of a box of a grid's voxels: every voxel keeps its place in the patient."""
    affine = np.array(grid.affine)
    affine[:3, 3] += affine[:3, :3] @ [along.start for along in box]
    i, j, k = (along.stop - along.start for along in box)
    return Grid((i, j, k), affine)


def _threshold(seen: NDArray[np.float32], kind: str) -> float:
    if ImageKind.from_word(kind).modality is Modality.CT:
        return _CT_HU
    finite = seen[np.isfinite(seen)]
    return _SHARE * float(np.percentile(finite, 99.0)) if finite.size else 0.0


def _large_parts(mask: Inside) -> Inside:
    """A mask without its small parts."""
    import cc3d

    labels, count = cc3d.connected_components(mask, connectivity=6, return_N=True)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel(order="K"), minlength=count + 1)
    sizes[0] = 0
    large: Inside = (sizes >= _LEAST_PART * sizes.max())[labels]
    large &= mask
    return large
