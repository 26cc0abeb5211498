"""Slice propagation: masks of finished slices are propagated to the others by optical flow between their pictures.

From slice to slice the edges of a tumour shift by a few pixels, and so do its surroundings. The shift is dense optical
flow between the two pictures; the mask's signed distance follows it. No network is needed, so it works on any image and
structure. Between two finished slices both masks are propagated and averaged in the proportion of their distances, with
the size given by the areas of all finished slices. Beyond the outermost one, if a model has drawn the volume, its own
change from slice to slice is added, as far as it agrees with the propagated mask: the model knows where a tumour ends.

Source: Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016; Raya and Udupa, Shape-based
interpolation of multidimensional objects, IEEE TMI 1990;9:32.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import Window
from datasets.image.mask import Inside
from datasets.pictures.picture_plane import PicturePlane
from training.measures.metrics import dice
from training.segmenters.between_slices import FAR, SIZED_GAP, Distance, area_at, signed_distance, sized
from training.segmenters.grey_slices import GreyRule, GreySlices
from training.segmenters.segmenter import SegmentationRequest

Flow = NDArray[np.float32]

MODEL_PULL = 0.1
"""Weight of an agreeing model's mask against the propagated one, at each slice."""

_GREYS = GreyRule(0.5, 99.5, foreground_only=True)

_SCALE = 2
"""Pictures are enlarged for the flow, whose finest windows are 8 pixels."""

_BLUR = 2.5
"""Standard deviation in pixels of the smoothing before the flow: noise does not move with the anatomy."""

_SMOOTHNESS, _SAME_GREYS = 8.0, 15.0
"""Weights of the flow's refinement (OpenCV has 20 and 5), chosen on the shared T1 cases."""


def propagate(
    request: SegmentationRequest, known: Mapping[int, Inside], wanted: Sequence[int]
) -> Iterator[tuple[int, Inside]]:
    """Propagates known masks to the wanted slices; the nearest first, each as soon as it is drawn.

    Args:
        request: The case's images and the annotated one; `previous` is a model's probability of the whole volume, or
            None. Prompts and slices are ignored.
        known: Finished masks, bool (height, width) in picture orientation, by slice index; empty on a slice without
            tumour.
        wanted: Slices to draw; known ones are skipped.

    Yields:
        Index and mask, bool (height, width); nothing if no slice is known.

    Raises:
        RejectedInput: The target sequence is missing, a slice does not exist, or a mask has another size.
        GeometryError: The previous probability lies on another grid.
    """
    carrier = _Propagation(request, known)
    asked = [index for index in carrier.pictures.indices(wanted) if index not in known] if known else []
    for index in sorted(asked, key=lambda index: (min(abs(index - place) for place in known), index)):
        yield index, carrier.mask(index)


class _Propagation:
    """Propagates the known masks of one case; every step between two slices is computed once."""

    def __init__(self, request: SegmentationRequest, known: Mapping[int, Inside]) -> None:
        self._greys = GreySlices(request, _GREYS)
        self.pictures = self._greys.pictures
        for index, mask in known.items():
            _require_fit(mask, index, self.pictures)
        self._known = known
        self._model = _model_pictures(request, self.pictures)
        self._propagated: dict[tuple[int, int], Inside] = {}
        self._shown: dict[int, NDArray[np.uint8]] = {}
        self._window: Window | None = None

    def mask(self, index: int) -> Inside:
        """The mask of a slice that is not known."""
        below = max((place for place in self._known if place < index), default=None)
        above = min((place for place in self._known if place > index), default=None)
        propagated = [self._from(place, index) for place in (below, above) if place is not None]
        if below is None or above is None:
            return propagated[0]
        if not (propagated[0].any() or propagated[1].any()):
            return propagated[0]
        share = np.float32((index - below) / (above - below))
        met = (1 - share) * signed_distance(propagated[0]) + share * signed_distance(propagated[1])
        if above - below > SIZED_GAP or not (propagated[0].any() and propagated[1].any()):
            return sized(met, area_at(self._known, index))
        return met > 0

    def _from(self, place: int, index: int) -> Inside:
        """The known mask of `place`, propagated slice by slice to `index`."""
        towards = 1 if index > place else -1
        mask, before = self._known[place], place
        for each in range(place + towards, index + towards, towards):
            if (place, each) not in self._propagated:
                self._propagated[place, each] = self._step(mask, before, each)
            mask, before = self._propagated[place, each], each
        return mask

    def _step(self, mask: Inside, before: int, index: int) -> Inside:
        """A mask propagated to the next slice."""
        if not mask.any():
            return mask
        offsets = flow(self._picture(index), self._picture(before))
        propagated = moved(signed_distance(mask), offsets)
        if self._model is not None and not min(self._known) < index < max(self._known):
            trust = np.float32(dice(mask, self._model[before]) ** 2)  # a model that is wrong here is little help there
            own, next_own = (np.clip(signed_distance(self._model[each]), -FAR, FAR) for each in (before, index))
            own = moved(own, offsets)
            propagated += trust * (next_own - own - np.float32(MODEL_PULL) * (propagated - own))
        return propagated > 0

    def _picture(self, index: int) -> NDArray[np.uint8]:
        if self._window is None:
            self._window = self._greys.window()
        if index not in self._shown:
            self._shown[index] = self._greys.grey(index, window=self._window)
        return self._shown[index]


def flow(onto: NDArray[np.uint8], source: NDArray[np.uint8]) -> Flow:
    """Optical flow: offsets (height, width, 2), in columns and rows, from each pixel of a picture to another picture.

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
    """An array (height, width) sampled at `offsets`, interpolated linearly; beyond the edge its value is repeated."""
    import cv2

    rows, columns = np.indices(data.shape, dtype=np.float32)
    across, down = columns + offsets[..., 0], rows + offsets[..., 1]
    return np.asarray(cv2.remap(data, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _model_pictures(request: SegmentationRequest, pictures: PicturePlane) -> Inside | None:
    """A model's masks, bool (slices, height, width); None if all are empty."""
    if request.previous is None:
        return None
    pictures.grid.require_match(request.previous.grid, what="The previous probability and the image that is drawn on")
    found = pictures.stack(np.asarray(request.previous.data)) > 0.5
    return found if found.any() else None


def _require_fit(mask: Inside, index: int, pictures: PicturePlane) -> None:
    pictures.require_index(index)
    if mask.shape != pictures.shape:
        raise RejectedInput(
            "carried-shape",
            f"Expected masks of {pictures.shape} pixels, got one of {mask.shape}.",
            remedy="Give masks in picture orientation, of this case.",
        )
