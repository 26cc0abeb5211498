"""Initial masks: a model's predictions on slices before anybody prompted, computed once and kept in the database, each
with its slice of the uncertainty map (`uncertainty_maps.py`) where the model knows how unsure it is.

LiteMedSAM needs a box. A contour that came with the studies gives the boxes of its slices; other slices stay empty,
because with the whole picture as its box LiteMedSAM draws the whole limb. A trained automatic model needs no prompt.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.admission import GPU_PATIENCE_SECONDS, gpu_turn
from annotation_backend.inference.serving.mask_inputs import BOX_MARGIN_PIXELS, inputs_of
from annotation_backend.inference.serving.segmenting import SlicePrediction, predict_slices
from annotation_backend.inference.serving.uncertainty_maps import drop_former_maps
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.image.mask import Mask
from datasets.image.packed_mask import packed, unpacked
from datasets.pictures.packed_levels import packed_levels
from datasets.pictures.picture_plane import PicturePlane
from datasets.progress import Progress
from training.prompts.prompt import Box, Prompts
from training.table.table import method_called

_DRAWN_ANEW = ["inputs_sha256", "model_version", "score", "bits", "uncertainty", "uncertainty_sha256", "drawn"]
"""What of a row is written again where a slice is drawn again: mask and map come and go together."""

SLICES_TOGETHER = 4
"""Slices drawn around contours between two saves to the database: at most 6 s of work are lost when it is stopped."""


def initial_masks(
    case: Case, indices: Sequence[int], *, model: Model, progress: Progress | None = None
) -> list[SlicePrediction]:
    """The model's unprompted masks of slices of a case, in the order of `indices`, from the database or drawn now.

    Args:
        case: A registered case with exported slices.
        indices: Slices, each once.
        model: The model.
        progress: Called with (slices done, slices to do).

    Raises:
        RejectedInput: The case has no pictures, or its files were changed.
    """
    found = stored_initial_masks([case], indices, model=model)
    masks = {index: found[case.pk, index] for index in indices if (case.pk, index) in found}
    missing = [index for index in indices if index not in masks]
    show = progress or (lambda _done, _all: None)
    for portion in drawn_and_kept(case, missing, model=model):
        masks |= {prediction.index: prediction for prediction in portion}
        show(len(masks), len(indices))
    return [masks[index] for index in indices]


def stored_initial_masks(
    cases: Sequence[Case], indices: Sequence[int] | None = None, *, model: Model
) -> dict[tuple[int, int], SlicePrediction]:
    """The initial masks in the database that are still valid, by case key and slice; two queries.

    Args:
        cases: Registered cases with exported slices, with their registrations.
        indices: Only these slices.
        model: The model that drew them.
    """
    inputs, shapes = inputs_of(cases, model), {case.pk: picture_plane(case).shape for case in cases}
    rows = InitialMask.objects.filter(case__in=[case.pk for case in cases], model=model).defer("uncertainty")
    if indices is not None:
        rows = rows.filter(slice_index__in=indices)
    found = {}
    for row in rows.iterator():
        if row.inputs_sha256 == inputs[row.case_id]:
            prediction = _prediction(row, model, shapes[row.case_id])
            if prediction is not None:
                found[row.case_id, row.slice_index] = prediction
    return found


def drawn_and_kept(case: Case, indices: Sequence[int], *, model: Model) -> Iterator[list[SlicePrediction]]:
    """Draws slices and keeps their masks portion by portion, so that finished slices are not lost.

    Yields:
        The predictions of a portion, each slice once; all at once if the method draws volumes.

    Raises:
        RejectedInput: As `initial_masks`.
    """
    if not indices:
        return
    [inputs] = inputs_of([case], model).values()
    for portion in _drawn(case, indices, model=model):
        with transaction.atomic():
            InitialMask.objects.bulk_create(
                [_row(case, prediction, inputs) for prediction in portion],
                update_conflicts=True,
                unique_fields=["case", "slice_index", "model"],
                update_fields=_DRAWN_ANEW,
            )
            if any(prediction.uncertainty is not None for prediction in portion):
                drop_former_maps(case)
        yield portion


def imported_mask_for(model: Model, case: Case) -> Mask | None:
    """The mask that came with the studies, for a model that draws around it; else None."""
    return imported_label(case) if method_called(model.method).needs_contour else None


def _drawn(case: Case, indices: Sequence[int], *, model: Model) -> Iterator[list[SlicePrediction]]:
    if not method_called(model.method).needs_contour:
        with gpu_turn(patience=GPU_PATIENCE_SECONDS):
            drawn = predict_slices(case, indices, prompts=Prompts(), model=model, estimated=True)
        yield drawn
        return
    plane, imported = picture_plane(case), imported_mask_for(model, case)
    found = {index: None if imported is None else _box_around(imported, plane, index) for index in indices}
    boxes = {index: box for index, box in found.items() if box is not None}
    nothing = np.zeros(plane.shape, dtype=bool)
    yield [SlicePrediction(index, nothing, None, model, str(model)) for index in indices if index not in boxes]
    boxed = list(boxes)
    for start in range(0, len(boxed), SLICES_TOGETHER):
        some = boxed[start : start + SLICES_TOGETHER]
        prompts = Prompts(boxes=tuple(boxes[index] for index in some))
        with gpu_turn(patience=GPU_PATIENCE_SECONDS):
            drawn = predict_slices(case, some, prompts=prompts, model=model)
        yield drawn


def _box_around(mask: Mask, plane: PicturePlane, index: int) -> Box | None:
    """The box around the mask on one slice, widened by the margin; None if the mask is empty there."""
    rows, columns = np.nonzero(plane.to_picture(mask.foreground, index))
    if rows.size == 0:
        return None
    low = np.array([columns.min(), rows.min()]) - BOX_MARGIN_PIXELS
    high = np.array([columns.max(), rows.max()]) + 1 + BOX_MARGIN_PIXELS
    limits = np.array([plane.width, plane.height])
    corners = plane.grid.to_world(plane.pixel_to_voxel(np.clip([low, high], 0, limits), index=index))
    (ax, ay, az), (bx, by, bz) = corners.tolist()
    return Box((ax, ay, az), (bx, by, bz))


def _row(case: Case, prediction: SlicePrediction, inputs: str) -> InitialMask:
    unsure = None if prediction.uncertainty is None else packed_levels(prediction.uncertainty)
    return InitialMask(
        case=case,
        slice_index=prediction.index,
        model=prediction.model,
        inputs_sha256=inputs,
        model_version=prediction.model_version,
        score=prediction.score,
        bits=packed(prediction.mask) if prediction.mask.any() else b"",
        uncertainty=unsure,
        uncertainty_sha256="" if unsure is None else sha256_of_bytes(unsure),
    )


def _prediction(row: InitialMask, model: Model, shape: tuple[int, int]) -> SlicePrediction | None:
    """The prediction in a row; None if its bytes are damaged, so that it is drawn again."""
    try:
        mask = unpacked(bytes(row.bits), shape) if row.bits else np.zeros(shape, dtype=bool)
    except RejectedInput:
        return None
    return SlicePrediction(row.slice_index, mask, row.score, model, row.model_version)
