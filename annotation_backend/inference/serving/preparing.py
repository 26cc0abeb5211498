"""Embeds a case's slices before anyone opens it, so that a box costs only the decoder, not the encoder.

Only the models of the MedSAM family embed slices. The embeddings lie in the data folder, for all processes
(`embedding_folder.py`). Slice by slice, those most likely to be opened first; a job that was stopped goes on.
"""

import time
from collections.abc import Sequence

from django.conf import settings

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.admission import GPU_PATIENCE_SECONDS, gpu_turn
from annotation_backend.inference.serving.embedding_folder import EmbeddingFolder, embeddings_folder
from annotation_backend.inference.serving.segmenting import request_of, segmenter_of
from annotation_backend.inference.serving.serving import recently_broken
from annotation_backend.registry.models import Model
from annotation_backend.registry.prompt_services import newest_promotions
from annotation_backend.studies.models import Study
from training.prompts.prompt import Prompts
from training.segmenters.boxes.embedding_cache import SliceKey
from training.table.table import method_called


def prepare_case(case: Case, *, seconds: float = float("inf")) -> int:
    """Embeds the exported slices of the annotated sequence for the models that draw from boxes.

    Args:
        case: A registered case with exported slices.
        seconds: Time limit; the slice that was begun is finished.

    Returns:
        How many slices are left.

    Raises:
        RejectedInput: A model cannot be loaded, or the case's files were changed.
    """
    until = time.monotonic() + seconds
    waiting = [(model, index) for model in embedding_models(case.study) for index in slices_to_prepare(case, model)]
    left = len(waiting)
    for model, index in waiting:
        _embed(case, index, model)
        left -= 1
        if time.monotonic() >= until:
            break
    return left


def slices_to_prepare(case: Case, model: Model) -> list[int]:
    """Exported slices without an embedding by `model`, from the middle of the case outwards; loads nothing."""
    if settings.EMBEDDINGS_GB <= 0:
        return []
    axis, role = picture_plane(case).slice_axis, case.drawn_role
    store = EmbeddingFolder(embeddings_folder(), model.digest)
    exported = sorted(case.slices.filter(role=role).values_list("index", flat=True))
    key = case.images_sha256
    return [index for index in _from_middle(exported) if SliceKey(key, role, axis, index) not in store]


def _embed(case: Case, index: int, model: Model) -> None:
    from training.segmenters.boxes.box_segmenter import BoxSegmenter

    segmenter = segmenter_of(model)
    if isinstance(segmenter, BoxSegmenter):
        with gpu_turn(patience=GPU_PATIENCE_SECONDS):
            segmenter.prepare(request_of(case, Prompts(), slices=(index,)))


def embedding_models(study: Study) -> list[Model]:
    """The promoted models of a study that embed slices, each once; loads nothing."""
    found = [row.model for row in newest_promotions(study, without=recently_broken())]
    return list({model.digest: model for model in found if method_called(model.method).embeds}.values())


def _from_middle(indices: Sequence[int]) -> list[int]:
    """The middle slice first: tumours are rarely at the ends of an examination."""
    middle = (len(indices) - 1) / 2
    return [index for _, index in sorted(enumerate(indices), key=lambda placed: abs(placed[0] - middle))]
