"""Lets the serving model draw on slices of a case, and records its predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import Prediction
from annotation_backend.inference.serving.loaded import loaded_volumes, segmenter_of
from annotation_backend.inference.serving.serving import model_for, warm_up
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.study_fit import roles_for
from datasets.files import sha256_of_bytes
from datasets.image.volume import Volume
from datasets.pictures.packed_levels import Levels, levels_of
from training.prompts.prompt import Prompts
from training.prompts.prompt_document import as_document

if TYPE_CHECKING:
    from training.segmenters.segmenter import Segmentation, SegmentationRequest

__all__ = [
    "INSIDE_ABOVE_PROBABILITY",
    "SlicePrediction",
    "keep_record",
    "predict_slices",
    "prompt_kind",
    "request_of",
    "segment_case",
    "segmenter_of",
    "warm_up",
]

INSIDE_ABOVE_PROBABILITY = 0.5


@dataclass(frozen=True, eq=False)
class SlicePrediction:
    """A model's mask of one slice.

    Args:
        index: The slice.
        mask: Boolean (height, width) in picture orientation.
        score: The model's own estimate of its quality, where it has one.
        model: The model.
        model_version: Its name and version, and how the prompt was read.
        uncertainty: Of each pixel, (height, width) in picture orientation, where it was wanted and the model knows it.
    """

    index: int
    mask: NDArray[np.bool_]
    score: float | None
    model: Model
    model_version: str
    uncertainty: Levels | None = None


def prompt_kind(prompts: Prompts) -> PromptKind:
    """The kind of prompt that decides the model: extreme points, then boxes, then clicks; automatic without prompts."""
    if prompts.extreme_points:
        return PromptKind.EXTREME_POINTS
    if prompts.boxes:
        return PromptKind.BOX
    return PromptKind.POINT if prompts.clicks else PromptKind.AUTOMATIC


def predict_slices(
    case: Case,
    indices: Sequence[int],
    *,
    prompts: Prompts,
    model: Model | None = None,
    estimated: bool = False,
) -> list[SlicePrediction]:
    """Predicts the tumour on slices of a case and records each prediction.

    Args:
        case: A registered case with exported slices.
        indices: Slices to draw on.
        prompts: A person's prompts, in millimetres; empty for an automatic prediction.
        model: The model; None for the one that serves this kind of prompt.
        estimated: Whether an automatic model also estimates how good its masks are, and how unsure it is of each pixel;
            it then looks at the whole case.

    Raises:
        RejectedInput: No model serves, or it cannot use the prompts.
    """
    plane = picture_plane(case)
    model = model or model_for(prompt_kind(prompts), case.study)
    answer = segment_case(case, prompts, model=model, slices=indices, estimated=estimated)
    probability, scores = np.asarray(answer.probability.data), _scores(answer.used)
    unsure = None if answer.uncertainty is None else np.asarray(answer.uncertainty.data)
    predictions = [
        SlicePrediction(
            index,
            plane.to_picture(probability, index) > INSIDE_ABOVE_PROBABILITY,
            scores.get(str(index), answer.score),
            model,
            answer.model_version,
            None if unsure is None else levels_of(plane.to_picture(unsure, index)),
        )
        for index in indices
    ]
    keep_record(case, predictions, prompts)
    return predictions


def _scores(used: Mapping[str, Any]) -> Mapping[str, float]:
    """Scores by slice; empty for methods that give none."""
    found = used.get("scores")
    return found if isinstance(found, Mapping) else {}


def segment_case(
    case: Case,
    prompts: Prompts,
    *,
    model: Model,
    slices: Sequence[int] | None,
    previous: Volume | None = None,
    estimated: bool = False,
) -> "Segmentation":
    """A model's segmentation of a case, on the case's grid.

    Args:
        case: A registered case with exported slices.
        prompts: In millimetres.
        model: The model.
        slices: Slices to draw; None for all.
        previous: Probability before these prompts, for methods that refine it.
        estimated: Whether an automatic model also estimates how good its masks are.

    Raises:
        RejectedInput: The model cannot use the prompts.
    """
    request = request_of(case, prompts, slices=slices, previous=previous)
    request = replace(request, wants_uncertainty=estimated)
    return segmenter_of(model).segment(for_model(request, model, case))


def request_of(
    case: Case, prompts: Prompts, *, slices: Sequence[int] | None, previous: Volume | None = None
) -> "SegmentationRequest":
    """A request for a case on any image: all that it has, by the names in its protocol; the drawn one is the target."""
    from training.segmenters.segmenter import SegmentationRequest

    drawn = case.drawn_role
    return SegmentationRequest(
        volumes=loaded_volumes(case).images,
        target=drawn,
        prompts=prompts,
        slice_axis=picture_plane(case).slice_axis,
        slices=None if slices is None else tuple(slices),
        cache_key=case.images_sha256,
        previous=previous,
        modality=case.protocol.image(drawn).modality,
    )


def for_model(request: "SegmentationRequest", model: Model, case: Case) -> "SegmentationRequest":
    """A request with the images that a model takes, by kind; as it is for one that takes any.

    Raises:
        RejectedInput: The case or its study has no image that the model learned from, or it is doubtful which it is.
    """
    roles = roles_for(model, case.protocol, drawn=request.target, present=request.volumes)
    if not roles:
        return request
    target = next((kind for kind, role in roles.items() if role == request.target), next(iter(roles)))
    return replace(
        request,
        volumes={kind: request.volumes[role] for kind, role in roles.items()},
        target=target,
        # Two roles of one case may be of one kind, and a person may change which of them is drawn on.
        cache_key=f"{request.cache_key}/{'+'.join(roles.values())}",
    )


def keep_record(case: Case, predictions: Sequence[SlicePrediction], prompts: Prompts) -> None:
    """Records predictions with their model and prompts."""
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
