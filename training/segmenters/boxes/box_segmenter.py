"""BoxSegmenter: slices drawn by a network that takes only boxes (the MedSAM family).

Every prompt is read as boxes (`prompts/picture_boxes.py`); the answer's model version tells how: nothing is added
for boxes drawn on slices, ``+from-middle-slice`` for one box with depth (`box_propagation.py`), ``+box-around-point``
where a box was put around clicks, ``+full-picture-box`` where there were no prompts at all (the automatic mode of
MSTT-199). Clicks are a makeshift here: models trained with clicks draw better from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import Window
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from training.memory import process_memory
from training.prompts.picture_boxes import PictureBox, SliceBoxes, read_boxes
from training.segmenters.boxes.box_propagation import BoxPrediction, propagate_from_middle
from training.segmenters.boxes.embedding_cache import Embedding, EmbeddingCache, EmbeddingStore, SliceKey
from training.segmenters.grey_slices import GreyRule, GreySlices
from training.segmenters.segmenter import Segmentation, SegmentationRequest

Features = NDArray[np.float32]

_WINDOW_BYTES = 256
"""Approximate bytes of a grey window and its key."""


class BoxPredictor(Protocol):
    """A network of the MedSAM family: it embeds a slice once and then segments boxes on it."""

    def embed(self, grey: NDArray[np.uint8]) -> Features:
        """The image embedding, float32 (1, C, h, w), of a slice (height, width) in 8 bits."""
        ...

    def draw(self, embedding: Features, boxes: Sequence[PictureBox], shape: tuple[int, int]) -> BoxPrediction:
        """The masks of boxes on a slice of `shape` (height, width), joined."""
        ...


class BoxSegmenter:
    """Segments the prompts' boxes, slice by slice.

    Args:
        predictor: The network with its weights.
        title: Name and version of the model.
        rule: How volumes become grey values.
        store: Persistent store of embeddings.

    Attributes:
        predictor: As given.
    """

    def __init__(
        self, predictor: BoxPredictor, *, title: str, rule: GreyRule, store: EmbeddingStore | None = None
    ) -> None:
        self.predictor = predictor
        self._title = title
        self._rule = rule
        self._cache = EmbeddingCache(store)
        self._encoding = Lock()

    def prepare(self, request: SegmentationRequest) -> None:
        """Embeds the requested slices, in their order, ahead of the first prompt; slices with an embedding are skipped.

        Raises:
            RejectedInput: The target sequence or a slice is missing, or the request has no cache key.
        """
        if not request.cache_key:
            raise RejectedInput(
                "cache-key", "Slices cannot be prepared without a cache key.", remedy="Name the images."
            )
        work = _Work(request, GreySlices(request, self._rule))
        known = work.pictures.indices(request.slices)
        for index in known if request.slices is None else request.slices:
            self._cache.prepare(_key(request, index), partial(self._embed, work, index))

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour on the requested slices; thread-safe.

        One box with depth is propagated from its middle slice outwards, and the slices beyond it stay empty. The masks
        of several boxes on a slice are joined; pixels that leak out of boxes drawn on slices by more than one pixel are
        removed. The score is the mean over slices of the network's own IoU estimate.

        Raises:
            RejectedInput: The target sequence is missing, or a prompt or a slice does not lie in the image.
        """
        work = _Work(request, GreySlices(request, self._rule))
        indices = work.pictures.indices(request.slices)
        prompted = None if request.prompts.is_empty else read_boxes(request.prompts, work.pictures)
        drawn = self._drawn(work, indices, prompted)
        probability = np.zeros(work.pictures.grid.shape, dtype=np.float32)
        for index in indices:
            if index in drawn:
                work.pictures.from_picture(drawn[index].probability, into=probability, index=index)
        scores = [drawn[index].quality for index in indices if index in drawn]
        reading = _reading(prompted, indices)
        return Segmentation(
            probability=Volume(probability, work.pictures.grid),
            model_version=self._title + (f"+{reading}" if reading else ""),
            score=float(np.mean(scores)) if scores else None,
            used=work.report(reading=reading or "drawn-box", drawn=len(drawn))
            | {"scores": {str(index): drawn[index].quality for index in indices if index in drawn}},
        )

    def _drawn(self, work: "_Work", indices: Sequence[int], prompted: SliceBoxes | None) -> dict[int, BoxPrediction]:
        if prompted is not None and prompted.deep is not None:
            return propagate_from_middle(prompted.deep, indices, partial(self._draw_corrected, work, prompted))
        boxes = {index: _boxes_on(index, prompted, work.pictures) for index in indices}
        drawn = {index: self._draw(work, index, found) for index, found in boxes.items() if found}
        if prompted is None or prompted.from_points:
            return drawn
        return {index: _kept_inside(prediction, boxes[index]) for index, prediction in drawn.items()}

    def _draw_corrected(self, work: "_Work", prompted: SliceBoxes, index: int, box: PictureBox) -> BoxPrediction:
        return self._draw(work, index, prompted.corrected([box], index))

    def _draw(self, work: "_Work", index: int, boxes: Sequence[PictureBox]) -> BoxPrediction:
        embedding = self._embedding(work, index)
        started = perf_counter()
        prediction = self.predictor.draw(embedding.astype(np.float32), boxes, work.pictures.shape)
        work.network_seconds += perf_counter() - started
        return prediction

    def _embedding(self, work: "_Work", index: int) -> Embedding:
        """Embedding of a slice, from the cache or new."""
        request = work.request
        if not request.cache_key:
            return self._embed(work, index)
        return self._cache.get(_key(request, index), partial(self._embed, work, index))

    def _embed(self, work: "_Work", index: int) -> Embedding:
        """Embeds one picture at a time, since one uses the whole machine."""
        started = perf_counter()
        grey = work.slices.grey(index, window=self._window(work))
        with self._encoding:
            embedding = self.predictor.embed(grey).astype(np.float16)
        work.encoded += 1
        work.encoding_seconds += perf_counter() - started
        return embedding

    def _window(self, work: "_Work") -> Window:
        """Grey window of the volume, from the cache or new."""
        request = work.request
        if not request.cache_key:
            work.window = work.window or work.slices.window()
            return work.window
        key = ("window", self._rule, request.cache_key, str(request.target))
        return process_memory().get(key, work.slices.window, size=lambda _: _WINDOW_BYTES)


def _key(request: SegmentationRequest, index: int) -> SliceKey:
    return SliceKey(request.cache_key, str(request.target), request.slice_axis, index)


@dataclass
class _Work:
    """One request while it is answered, and its times."""

    request: SegmentationRequest
    slices: GreySlices
    encoded: int = 0
    encoding_seconds: float = 0.0
    network_seconds: float = 0.0
    window: Window | None = None
    pictures: PicturePlane = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = self.slices.pictures

    def report(self, *, reading: str, drawn: int) -> dict[str, Any]:
        """Report of the answer, as plain JSON values."""
        return {
            "boxes": reading,
            "slices_drawn": drawn,
            "slices_encoded": self.encoded,
            "seconds": {"encoding": self.encoding_seconds, "network": self.network_seconds},
        }


def _kept_inside(prediction: BoxPrediction, boxes: Sequence[PictureBox]) -> BoxPrediction:
    """An answer without the pixels that leak out of the boxes a person drew around the tumour."""
    inside = np.zeros(prediction.probability.shape, dtype=bool)
    for box in boxes:
        top, left = max(int(np.floor(box.top)) - 1, 0), max(int(np.floor(box.left)) - 1, 0)
        inside[top : int(np.ceil(box.bottom)) + 2, left : int(np.ceil(box.right)) + 2] = True
    return replace(prediction, probability=np.where(inside, prediction.probability, np.float32(0.0)))


def _boxes_on(index: int, prompted: SliceBoxes | None, pictures: PicturePlane) -> tuple[PictureBox, ...]:
    if prompted is None:
        height, width = pictures.shape
        return (PictureBox(0, 0, height, width),)
    nearest = prompted.nearest(index)
    return () if nearest is None else prompted.boxes[nearest]


def _reading(prompted: SliceBoxes | None, indices: Sequence[int]) -> str:
    """How the prompts were read, in a word; empty for boxes drawn on slices."""
    if prompted is None:
        return "full-picture-box"
    if prompted.deep is not None:
        return "from-middle-slice"
    used = {prompted.nearest(index) for index in indices}
    return "box-around-point" if used & prompted.from_points else ""
