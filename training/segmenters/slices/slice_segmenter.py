"""A network on the slices of a case: automatic, prompts are ignored. Imports torch: imported by `loading.py`.

Each slice is drawn as it lies and as turned copies, in one plane or in three; the mean of the logits counts.

Source: MSTT-199 (Reasat et al.): three planes with equal weights, eight copies, logits resized to the slice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from training.inputs.body import body_box, grid_within
from training.inputs.slice_triplets import grey_volume, plane_stack, resized_stack, triplets
from training.model_package import ModelDescription, Tensors
from training.networks.slice_networks import slice_network
from training.runtime import Runtime
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.request_images import images_of
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.slices.copies import copies_of
from training.segmenters.slices.slice_plan import Crop, Planes, SlicePlan
from training.segmenters.uncertainty import joined, uncertainty_of
from training.segmenters.weights import members_of, runtimes_of

_BATCH = 8
"""Slices in a batch: enough for two cores, and small enough for a small GPU."""

_FEW = 2
"""Requests up to which networks answer one after the other: streams must be compiled, which takes as long as some."""

_BACKGROUND = np.float32(-100.0)
"""Logit outside the body."""


class SliceSegmenter:
    """Segments the tumour automatically from the images that it learned from.

    Args:
        members: Networks whose logits are averaged.
        plan: The package's plan.
        kinds: Of the images that they see, in their order.
        title: Name and version.
    """

    def __init__(self, members: Sequence[Runtime], plan: SlicePlan, kinds: Sequence[str], *, title: str) -> None:
        self._members = members
        self._plan = plan
        self._kinds = kinds
        self._title = title

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "SliceSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of a network on slices.
        """
        plan = SlicePlan.from_parameters(description.parameters)
        # Packages of earlier versions hold one network, without its number.
        numbered = "members" in description.parameters
        own = members_of(tensors, plan.members) if numbered else [tensors]
        images = len(description.kinds)
        networks = [slice_network(plan.architecture, images=images, widths=plan.widths) for _ in own]
        return cls(runtimes_of(networks, own), plan, description.kinds, title=description.title)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour on the requested slices; thread-safe; needs all its images on one grid.

        Raises:
            RejectedInput: An image or a slice is missing.
            GeometryError: The images lie on different grids.
        """
        volumes = images_of(request, self._kinds)
        pictures = PicturePlane.along(next(iter(volumes.values())).grid, request.slice_axis)
        asked = list(pictures.indices(request.slices))
        if not asked:
            return Segmentation(Volume(np.zeros(pictures.grid.shape, dtype=np.float32), pictures.grid), self._title)
        # Which parts are stray, and how sure the model is, is seen in the whole volume alone.
        is_whole = request.wants_uncertainty or self._plan.cleaning is not Cleaning.NONE
        drawn = list(range(pictures.slice_count)) if is_whole else asked
        work = self._work(list(volumes.values()), pictures, drawn, with_spread=request.wants_uncertainty)
        fields = self._fields(work)
        probability = cleaned(torch.from_numpy(fields[0]).sigmoid().numpy(), self._plan.cleaning)
        rest = sorted({*range(pictures.slice_count)} - {*asked})
        pictures.stack(probability)[rest] = 0.0
        found = uncertainty_of(fields) if request.wants_uncertainty else None
        return Segmentation(
            Volume(probability, pictures.grid),
            self._title,
            score=None if found is None else 1.0 - found.of_case,
            uncertainty=None if found is None else Volume(found.entropy, pictures.grid),
        )

    def _work(
        self, volumes: Sequence[Volume], pictures: PicturePlane, drawn: Sequence[int], *, with_spread: bool
    ) -> "_Work":
        greys = [grey_volume(each, self._plan.rule, kind) for each, kind in zip(volumes, self._kinds, strict=True)]
        box = tuple(slice(0, size) for size in pictures.grid.shape)
        if self._plan.crop is Crop.BODY:
            box = body_box(volumes[0].data, pictures.grid, self._kinds[0])
        i, j, k = box
        return _Work([grey[box] for grey in greys], (i, j, k), pictures, drawn, with_spread)

    def _fields(self, work: "_Work") -> NDArray[np.float32]:
        """Fields of `training.segmenters.uncertainty.joined` on the whole grid; background outside the body."""
        total = np.zeros((work.fields, *work.within.shape), dtype=np.float32)
        highest = np.full(work.within.shape, -np.inf, dtype=np.float32)
        planes = list(self._planes(work))
        for plane, indices in planes:
            found = self._plane_fields(work, plane, indices)
            for number in range(work.fields):
                _added(plane.stack(total[number]), indices, found[number])
            if work.with_spread:
                stack = plane.stack(highest)
                stack[indices] = np.maximum(stack[indices], found[2])
        total /= np.float32(len(planes))
        if work.with_spread:
            total[2] = highest
        whole = np.full((work.fields, *work.pictures.grid.shape), _BACKGROUND, dtype=np.float32)
        if work.with_spread:
            whole[1] = 0.0
        whole[(slice(None), *work.box)] = total
        return whole

    def _planes(self, work: "_Work") -> Iterator[tuple[PicturePlane, list[int]]]:
        """The planes that are drawn, within the body, with the slices of each that are needed."""
        own = replace(work.pictures, grid=work.within)
        first = work.box[own.slice_axis].start
        yield own, [index - first for index in work.drawn if 0 <= index - first < own.slice_count]
        if self._plan.planes is Planes.THREE:
            for axis in {0, 1, 2} - {own.slice_axis}:
                other = PicturePlane.along(work.within, axis)
                yield other, list(range(other.slice_count))

    def _plane_fields(self, work: "_Work", plane: PicturePlane, indices: Sequence[int]) -> NDArray[np.float32]:
        """Fields (F, N, height, width) of some slices of a plane; logits are resized, then squashed (MSTT-199)."""
        if not indices:
            return np.zeros((work.fields, 0, *plane.shape), dtype=np.float32)
        stack = plane_stack(work.greys, plane, self._plan.rule.input_size)
        fields = zip(*self._square_fields(work, stack, _whole_batches(indices), plane.anatomical), strict=True)
        # Resizing is linear and keeps turns: one resized mean is the mean of resized copies.
        return np.stack([resized_stack(np.concatenate(each)[: len(indices)], plane.shape) for each in fields])

    def _square_fields(
        self, work: "_Work", stack: NDArray[np.uint8], indices: Sequence[int], anatomical: AnatomicalPlane
    ) -> Iterator[NDArray[np.float32]]:
        """Fields (F, N, size, size) of each batch of slices: of what each network says of each copy."""
        copies, starts = copies_of(self._plan.copies, anatomical), range(0, len(indices), _BATCH)
        batches = (triplets(stack, indices[start : start + _BATCH]) for start in starts)
        turned = (np.ascontiguousarray(copy.turned(batch)) for batch in batches for copy in copies)
        is_few = len(starts) * len(copies) <= _FEW
        answers = [
            map(member, own) if is_few else member.each(own)
            for member, own in zip(self._members, tee(turned, len(self._members)), strict=True)
        ]
        for _ in starts:
            opinions = (np.ascontiguousarray(copy.back(next(each)[:, 0])) for copy in copies for each in answers)
            yield joined(opinions, with_spread=work.with_spread)


def _whole_batches(indices: Sequence[int]) -> list[int]:
    """Slices, the last one again until the last of several batches is full: networks are fastest with one shape."""
    lacking = -len(indices) % _BATCH if len(indices) > _BATCH else 0
    return [*indices, *[indices[-1]] * lacking]


@dataclass(frozen=True, eq=False)
class _Work:
    """One request while it is answered.

    Args:
        greys: The images within the box.
        box: What is looked at.
        pictures: The plane that was asked for, of the whole grid.
        drawn: Its slices that are drawn.
        with_spread: Whether the uncertainty is wanted.
    """

    greys: Sequence[NDArray[np.uint8]]
    box: tuple[slice, slice, slice]
    pictures: PicturePlane
    drawn: Sequence[int]
    with_spread: bool

    @property
    def within(self) -> Grid:
        """The grid of the box."""
        return grid_within(self.pictures.grid, self.box)

    @property
    def fields(self) -> int:
        """How many fields are kept."""
        return 3 if self.with_spread else 1


def _added(stack: NDArray[np.float32], indices: Sequence[int], pictures: NDArray[np.float32]) -> None:
    stack[indices] += pictures
