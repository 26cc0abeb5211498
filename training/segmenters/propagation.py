"""Masks carried from finished slices to the others: a neighbour's mask, moved as the picture moved between the two.

From slice to slice the edges of a tumour shift by a few pixels, and so does what lies around it. The shift is dense
optical flow between the two pictures; the mask's signed distance follows it. No network is needed, so it works on
whatever is drawn on. Between two finished slices both are carried and meet in the proportion of their places, with the
size that the areas of all finished slices tell. Beyond the outermost one, where a model has drawn the volume, its own
change from slice to slice is added, as far as it agrees with the mask that is carried: it knows where a tumour ends.

Source: Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016; Raya and Udupa, Shape-based
interpolation of multidimensional objects, IEEE TMI 1990;9:32.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import Window
from datasets.pictures.picture_plane import PicturePlane
from training.measures.metrics import dice
from training.segmenters.between_slices import SIZED_GAP, area_at, signed_distance, sized
from training.segmenters.grey_slices import GreyRule, GreySlices
from training.segmenters.segmenter import SegmentationRequest

Picture = NDArray[np.bool_]
Distance = NDArray[np.float32]
Flow = NDArray[np.float32]

MODEL_PULL = 0.1
"""Share of the way from the carried mask to an agreeing model's that is gone at each slice."""

_FAR = 20.0
"""Pixels at which a model's distance is cut off: far from its edge it says nothing of the edge."""

_GREYS = GreyRule(0.5, 99.5, foreground_only=True)

_SCALE = 2
"""Pictures are enlarged for the flow, whose finest windows are 8 pixels."""

_BLUR = 2.5
"""Standard deviation in pixels of the smoothing before the flow: noise does not move along."""

_SMOOTHNESS, _SAME_GREYS = 8.0, 15.0
"""Weights of the flow's refinement (OpenCV has 20 and 5), chosen on the shared T1 cases."""


def refreshed(
    request: SegmentationRequest, known: Mapping[int, Picture], wanted: Sequence[int]
) -> Iterator[tuple[int, Picture]]:
    """Masks of the wanted slices, from those that are known; the nearest first, each as soon as it is drawn.

    Args:
        request: The case's images and which of them is drawn on; `previous` is what a model drew on the whole volume,
            None where none did. Prompts and slices are not looked at.
        known: Finished masks, bool (height, width) in picture orientation, by slice index; empty where a slice shows
            no tumour.
        wanted: Slices to draw; those that are known are left out, since nothing changes them.

    Yields:
        Index and mask, bool (height, width); nothing where nothing is known.

    Raises:
        RejectedInput: The target sequence is missing, there is no such slice, or a mask has another size.
        GeometryError: The previous probability lies on another grid.
    """
    carrier = _Carrier(request, known)
    asked = [index for index in carrier.pictures.indices(wanted) if index not in known] if known else []
    for index in sorted(asked, key=lambda index: (min(abs(index - place) for place in known), index)):
        yield index, carrier.mask(index)


class _Carrier:
    """Carries the known masks of one case; every step between two slices is made once."""

    def __init__(self, request: SegmentationRequest, known: Mapping[int, Picture]) -> None:
        self._greys = GreySlices(request, _GREYS)
        self.pictures = self._greys.pictures
        for index, mask in known.items():
            _require_fit(mask, index, self.pictures)
        self._known = known
        self._model = _model_pictures(request, self.pictures)
        self._carried: dict[tuple[int, int], Picture] = {}
        self._shown: dict[int, NDArray[np.uint8]] = {}
        self._window: Window | None = None

    def mask(self, index: int) -> Picture:
        """The mask of a slice that is not known."""
        below = max((place for place in self._known if place < index), default=None)
        above = min((place for place in self._known if place > index), default=None)
        carried = [self._from(place, index) for place in (below, above) if place is not None]
        if below is None or above is None:
            return carried[0]
        if not (carried[0].any() or carried[1].any()):
            return carried[0]
        share = np.float32((index - below) / (above - below))
        met = (1 - share) * signed_distance(carried[0]) + share * signed_distance(carried[1])
        if above - below > SIZED_GAP or not (carried[0].any() and carried[1].any()):
            return sized(met, area_at(self._known, index))
        return met > 0

    def _from(self, place: int, index: int) -> Picture:
        """The known mask of `place`, carried slice by slice to `index`."""
        towards = 1 if index > place else -1
        mask, before = self._known[place], place
        for each in range(place + towards, index + towards, towards):
            if (place, each) not in self._carried:
                self._carried[place, each] = self._step(mask, before, each)
            mask, before = self._carried[place, each], each
        return mask

    def _step(self, mask: Picture, before: int, index: int) -> Picture:
        """A mask carried to the next slice."""
        if not mask.any():
            return mask
        offsets = flow(self._picture(index), self._picture(before))
        carried = moved(signed_distance(mask), offsets)
        if self._model is not None and not min(self._known) < index < max(self._known):
            trust = np.float32(dice(mask, self._model[before]) ** 2)  # a model that is wrong here says little of there
            own, next_own = (np.clip(signed_distance(self._model[each]), -_FAR, _FAR) for each in (before, index))
            own = moved(own, offsets)
            carried += trust * (next_own - own - np.float32(MODEL_PULL) * (carried - own))
        return carried > 0

    def _picture(self, index: int) -> NDArray[np.uint8]:
        if self._window is None:
            self._window = self._greys.window()
        if index not in self._shown:
            self._shown[index] = self._greys.grey(index, window=self._window)
        return self._shown[index]


def flow(onto: NDArray[np.uint8], source: NDArray[np.uint8]) -> Flow:
    """Where each pixel of a picture lies in another one, as offsets (height, width, 2) in columns and rows.

    Args:
        onto: 8 bits (height, width).
        source: The other picture, of the same shape.
    """
    import cv2

    height, width = onto.shape
    large = [
        cv2.resize(cv2.GaussianBlur(each, (0, 0), _BLUR), (_SCALE * width, _SCALE * height)) for each in (onto, source)
    ]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # its stub allows no None below
    search.setVariationalRefinementAlpha(_SMOOTHNESS)
    search.setVariationalRefinementDelta(_SAME_GREYS)
    found = cv2.resize(search.calc(large[0], large[1], None), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(found / _SCALE, dtype=np.float32)


def moved(data: Distance, offsets: Flow) -> Distance:
    """An array (height, width) read where `offsets` point, interpolated linearly; the edge's value beyond it."""
    import cv2

    rows, columns = np.indices(data.shape, dtype=np.float32)
    across, down = columns + offsets[..., 0], rows + offsets[..., 1]
    return np.asarray(cv2.remap(data, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _model_pictures(request: SegmentationRequest, pictures: PicturePlane) -> Picture | None:
    """What a model drew, bool (slices, height, width); None where it drew nothing at all."""
    if request.previous is None:
        return None
    pictures.grid.require_match(request.previous.grid, what="The previous probability and the image that is drawn on")
    found = pictures.stack(np.asarray(request.previous.data)) > 0.5
    return found if found.any() else None


def _require_fit(mask: Picture, index: int, pictures: PicturePlane) -> None:
    pictures.require_index(index)
    if mask.shape != pictures.shape:
        raise RejectedInput(
            "carried-shape",
            f"Expected masks of {pictures.shape} pixels, got one of {mask.shape}.",
            remedy="Give masks in picture orientation, of this case.",
        )
