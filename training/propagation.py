"""Masks carried from finished slices to the others: a neighbour's mask, moved as the picture moved between the two.

From slice to slice the edges of a tumour shift by a few pixels, and so does what lies around it. The shift is dense
optical flow between the two pictures; the mask's signed distance follows it. Between two finished slices both are
carried and meet in the proportion of their places. No network is needed, so it works on whatever is drawn on.

Source: Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016; Raya and Udupa, Shape-based
interpolation of multidimensional objects, IEEE TMI 1990;9:32.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.picture_plane import PicturePlane
from training.between_slices import signed_distance
from training.segmenters.grey_slices import GreyRule, GreySlices
from training.segmenters.segmenter import SegmentationRequest, Segmenter

Picture = NDArray[np.bool_]
Distance = NDArray[np.float32]
Flow = NDArray[np.float32]

_GREYS = GreyRule(0.5, 99.5, foreground_only=True)


def refreshed(
    request: SegmentationRequest,
    known: Mapping[int, Picture],
    wanted: Sequence[int],
    *,
    segmenter: Segmenter | None = None,
) -> Iterator[tuple[int, Picture]]:
    """Masks of the wanted slices, from those that are known; the nearest first, each as soon as it is drawn.

    Args:
        request: The case's images and which of them is drawn on; its prompts and slices are not looked at.
        known: Finished masks, bool (height, width) in picture orientation, by slice index.
        wanted: Slices to draw; those that are known are left out, since nothing changes them.
        segmenter: Not needed so far.

    Yields:
        Index and mask, bool (height, width); nothing where nothing is known.

    Raises:
        RejectedInput: The target sequence is missing, there is no such slice, or a mask has another size.
    """
    carrier = _Carrier(request, known)
    places = sorted(known)
    asked = [index for index in carrier.pictures.indices(wanted) if index not in known] if places else []
    for index in sorted(asked, key=lambda index: (min(abs(index - place) for place in places), index)):
        yield index, carrier.mask(index)


class _Carrier:
    """Carries the known masks of one case; every step between two slices is made once."""

    def __init__(self, request: SegmentationRequest, known: Mapping[int, Picture]) -> None:
        self.pictures = PicturePlane.along(request.volumes[request.target].grid, request.slice_axis)
        self._greys = GreySlices(request, _GREYS)
        self._known = known
        self._carried: dict[tuple[int, int], Picture] = {}
        self._grey: dict[int, NDArray[np.uint8]] = {}
        for index, mask in known.items():
            self.pictures.require_index(index)
            if mask.shape != self.pictures.shape:
                raise RejectedInput(
                    "carried-shape",
                    f"Expected masks of {self.pictures.shape} pixels, got one of {mask.shape}.",
                    remedy="Give masks in picture orientation, of this case.",
                )
        self._window = self._greys.window()

    def mask(self, index: int) -> Picture:
        """The mask of a slice that is not known."""
        below = max((place for place in self._known if place < index), default=None)
        above = min((place for place in self._known if place > index), default=None)
        sides = [place for place in (below, above) if place is not None]
        carried = [signed_distance(self._from(place, index)) for place in sides]
        away = np.array([abs(index - place) for place in sides], dtype=np.float32)
        shares = 1 - away / away.sum() if len(sides) > 1 else np.ones(1, np.float32)
        return np.asarray(np.tensordot(shares, np.stack(carried), axes=1) > 0)

    def _from(self, place: int, index: int) -> Picture:
        """The known mask of `place`, carried slice by slice to `index`."""
        if place == index:
            return self._known[place]
        if (place, index) not in self._carried:
            before = index - (1 if index > place else -1)
            self._carried[place, index] = self._step(self._from(place, before), before, index)
        return self._carried[place, index]

    def _step(self, mask: Picture, before: int, index: int) -> Picture:
        """A mask carried to the next slice."""
        if not mask.any():
            return mask
        return np.asarray(moved(signed_distance(mask), flow(self._shown(index), self._shown(before))) > 0)

    def _shown(self, index: int) -> NDArray[np.uint8]:
        if index not in self._grey:
            self._grey[index] = self._greys.grey(index, window=self._window)
        return self._grey[index]


def flow(onto: NDArray[np.uint8], source: NDArray[np.uint8]) -> Flow:
    """Where each pixel of a picture lies in another one, as an offset (height, width, 2) in columns and rows."""
    import cv2

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    height, width = onto.shape
    large = [cv2.resize(each, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR) for each in (onto, source)]
    found = search.calc(large[0], large[1], None)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA) / 2, dtype=np.float32)


def moved(data: Distance, offsets: Flow) -> Distance:
    """An array (height, width) read where `offsets` point, interpolated linearly; the edge's value beyond it."""
    import cv2

    rows, columns = np.indices(data.shape, dtype=np.float32)
    return np.asarray(
        cv2.remap(
            data, columns + offsets[..., 0], rows + offsets[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )
