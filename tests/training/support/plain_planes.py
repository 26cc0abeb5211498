"""Three planes and turned copies as a plain loop does them: slice by slice, copy by copy, each answer resized."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from training.inputs.body import body_box
from training.inputs.slice_triplets import grey_volume
from training.segmenters.slices.slice_plan import Copies, Crop, Planes, SlicePlan

Stack = NDArray[np.float32]


def plain_logits(
    members: Sequence[torch.nn.Module], plan: SlicePlan, volumes: Mapping[str, Volume], *, slice_axis: int
) -> Stack:
    """Mean logits on the volumes' grid; -100 outside the body."""
    grid = next(iter(volumes.values())).grid
    first_kind, first = next(iter(volumes.items()))
    box = tuple(slice(0, side) for side in grid.shape)
    if plan.crop is Crop.BODY:
        box = body_box(first.data, grid, first_kind)
    greys = [grey_volume(volume, plan.rule, kind) for kind, volume in volumes.items()]
    axes = [slice_axis] if plan.planes is Planes.DRAWN else [0, 1, 2]
    means = [_plane(members, plan, greys, PicturePlane.along(grid, axis), box) for axis in axes]
    found = np.full(grid.shape, -100.0, dtype=np.float32)
    found[box] = np.mean(means, axis=0)[box]
    return found


def _plane(
    members: Sequence[torch.nn.Module],
    plan: SlicePlan,
    greys: Sequence[NDArray[np.uint8]],
    plane: PicturePlane,
    box: tuple[slice, ...],
) -> Stack:
    inside = np.zeros(plane.grid.shape, dtype=bool)
    inside[box] = True
    stack = plane.stack(inside)
    count, rows, columns = (np.flatnonzero(stack.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    pictures = [plane.stack(grey)[np.ix_(count, rows, columns)] for grey in greys]
    total = np.zeros(plane.grid.shape, dtype=np.float32)
    for index in range(len(count)):
        answers = []
        for turns, flip in _ways(plan.copies, upright=plane.anatomical.value != "axial"):
            picture = torch.rot90(_triplet(pictures, index, plan.rule.input_size), turns, (1, 2))
            picture = picture.flip(2) if flip else picture
            for member in members:
                with torch.inference_mode():
                    answer = member(picture[None])[0]
                answer = torch.rot90(answer.flip(2) if flip else answer, -turns, (1, 2))
                answers.append(_resized(answer, (len(rows), len(columns)))[0])
        where = np.ix_(rows, columns)
        plane.stack(total)[count[index]][where] = torch.stack(answers).mean(0).numpy()
    return total


def _ways(copies: Copies, *, upright: bool) -> list[tuple[int, bool]]:
    if copies is Copies.NONE:
        return [(0, False)]
    if copies is Copies.ALL:
        return [(turns, flip) for turns in range(4) for flip in (False, True)]
    return [(0, False), (0, True)] if upright else [(0, False), (0, True), (2, False), (2, True)]


def _triplet(pictures: Sequence[NDArray[np.uint8]], index: int, size: int) -> torch.Tensor:
    last = pictures[0].shape[0] - 1
    near = [each[min(max(index + step, 0), last)] for each in pictures for step in (-1, 0, 1)]
    images = _resized(torch.from_numpy(np.stack(near).astype(np.float32)), (size, size))
    return images.clamp(0, 255).round() / 255


def _resized(images: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(images[None], size=shape, mode="bilinear", antialias=True, align_corners=False)[0]
