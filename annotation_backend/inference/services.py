"""Letting the serving model draw on one slice or many slices of a case."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.services import case_volumes, picture_plane
from annotation_backend.inference.models import Prediction
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.services import serving_model
from datasets.case import CaseVolumes, SeriesRole
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.volume import Volume
from training.prompts.prompt import Prompts
from training.prompts.prompt_document import as_document

if TYPE_CHECKING:
    from training.segmenters.segmenter import Segmentation, SegmentationRequest, Segmenter

logger = logging.getLogger(__name__)

CASES_IN_MEMORY = 4
"""Volumes of this many cases stay loaded (about 80 MB each at 512 x 512 x 40)."""

MODELS_IN_MEMORY = 3

INSIDE_ABOVE_PROBABILITY = 0.5


@dataclass(frozen=True, eq=False)
class SlicePrediction:
    """A model's mask of one slice.

    Args:
        index: The slice.
        mask: Boolean (height, width) in picture orientation.
        score: The model's own estimate of its quality, where it has one.
        model: Who drew.
        model_version: Name, version and how the prompt was read.
    """

    index: int
    mask: NDArray[np.bool_]
    score: float | None
    model: Model
    model_version: str


def kind_of(prompts: Prompts) -> PromptKind:
    """Which kind of prompt decides the model: extreme points, then a box, then clicks; nothing means automatic."""
    if prompts.extreme_points:
        return PromptKind.EXTREME_POINTS
    if prompts.boxes:
        return PromptKind.BOX
    return PromptKind.POINT if prompts.clicks else PromptKind.AUTOMATIC


def predict_slices(
    case: Case, indices: Sequence[int], *, prompts: Prompts, model: Model | None = None
) -> list[SlicePrediction]:
    """Draws the tumour on slices of a case and keeps a record of each drawing.

    Args:
        case: A registered case with exported slices.
        indices: Slices to draw on.
        prompts: What a person pointed at, in millimetres; empty for an automatic drawing.
        model: Who draws; the serving model for this kind of prompt when None.

    Raises:
        RejectedInput: No model serves, or the prompts are not what it needs.
    """
    plane = picture_plane(case)
    model = model or serving_model(kind_of(prompts))
    answer = segment_case(case, prompts, model=model, slices=indices)
    inside = np.asarray(answer.probability.data) > INSIDE_ABOVE_PROBABILITY
    predictions = [
        SlicePrediction(index, plane.to_picture(inside, index), answer.score, model, answer.model_version)
        for index in indices
    ]
    keep_record(case, predictions, prompts)
    return predictions


def segment_case(
    case: Case,
    prompts: Prompts,
    *,
    model: Model,
    slices: Sequence[int] | None,
    previous: Volume | None = None,
) -> "Segmentation":
    """What a model says of a case, on the case's grid.

    Args:
        case: A registered case with exported slices.
        prompts: In millimetres.
        model: Who draws.
        slices: Those to answer; None for all.
        previous: Probability from before these prompts, for methods that refine it.

    Raises:
        RejectedInput: The prompts are not what the model needs.
    """
    return segmenter_of(model).segment(request_of(case, prompts, slices=slices, previous=previous))


def request_of(
    case: Case, prompts: Prompts, *, slices: Sequence[int] | None, previous: Volume | None = None
) -> "SegmentationRequest":
    """A case as models are shown it: both sequences, the annotated one as target."""
    from training.segmenters.segmenter import SegmentationRequest

    volumes = _loaded_volumes(case)
    return SegmentationRequest(
        volumes={SeriesRole.T1: volumes.t1, SeriesRole.T2: volumes.t2},
        target=case.annotated_role,
        prompts=prompts,
        slice_axis=picture_plane(case).slice_axis,
        slices=None if slices is None else tuple(slices),
        cache_key=case.registration.record_sha256,
        previous=previous,
    )


def keep_record(case: Case, predictions: Sequence[SlicePrediction], prompts: Prompts) -> None:
    """Notes which model drew what from which prompts."""
    described = as_document(prompts)
    Prediction.objects.bulk_create(
        Prediction(
            case=case,
            slice_index=prediction.index,
            model=prediction.model,
            model_version=prediction.model_version,
            prompts=described,
            score=prediction.score,
            mask_sha256=sha256_of_bytes(np.packbits(prediction.mask).tobytes()),
            pixels=int(prediction.mask.sum()),
        )
        for prediction in predictions
    )


_volumes: "OrderedDict[str, CaseVolumes]" = OrderedDict()
_volumes_lock = threading.Lock()


def _loaded_volumes(case: Case) -> CaseVolumes:
    """The case's volumes from memory, keyed by what they came from, so that a new registration is never missed."""
    key = case.registration.record_sha256
    with _volumes_lock:
        if key not in _volumes:
            _volumes[key] = case_volumes(case)
        _volumes.move_to_end(key)
        while len(_volumes) > CASES_IN_MEMORY:
            _volumes.popitem(last=False)
        return _volumes[key]


_segmenters: "OrderedDict[str, Segmenter]" = OrderedDict()
_segmenters_lock = threading.Lock()


def segmenter_of(model: Model) -> "Segmenter":
    """A model from memory, keyed by its digest; loaded once, however many ask at the same time.

    Raises:
        RejectedInput: Its package is damaged.
    """
    from training.segmenters.loading import load_segmenter

    with _segmenters_lock:
        if model.digest not in _segmenters:
            _segmenters[model.digest] = load_segmenter(model.path, expected_digest=model.digest)
        _segmenters.move_to_end(model.digest)
        while len(_segmenters) > MODELS_IN_MEMORY:
            _segmenters.popitem(last=False)
        return _segmenters[model.digest]


def warm_up() -> None:
    """Loads the serving models in the background, so that the first prompt does not wait for it; returns at once."""
    promotions = [Promotion.objects.filter(prompt_kind=kind).select_related("model").first() for kind in PromptKind]
    cold = {p.model.digest: p.model for p in promotions if p is not None and p.model.digest not in _segmenters}
    for model in cold.values():
        threading.Thread(target=_load_quietly, args=(model,), daemon=True).start()


def _load_quietly(model: Model) -> None:
    try:
        segmenter_of(model)
    except RejectedInput:
        logger.exception("%s cannot be loaded", model)
