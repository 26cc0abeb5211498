"""Initial masks with their slice of an uncertainty map, as a model leaves them."""

import numpy as np

from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.mask_inputs import inputs_of
from annotation_backend.registry.models import Model
from datasets.files import sha256_of_bytes
from datasets.pictures.packed_levels import Levels, packed_levels
from datasets.pictures.picture_plane import PicturePlane


def levels_on(case: Case) -> Levels:
    """A picture of the case: surely outside on the left half, from there on ever less sure to the right."""
    plane = PicturePlane.from_dict(case.picture_plane)
    row = np.maximum(np.linspace(-255, 255, plane.width), 0).astype(np.uint8)
    return np.repeat(row[None], plane.height, axis=0)


def unsure_mask(
    case: Case, model: Model, *, index: int = 2, bits: bytes = b"", score: float | None = None
) -> InitialMask:
    """The mask of one slice, of the case's images as they are now, with `levels_on` as its map."""
    case = Case.objects.with_images().get(pk=case.pk)
    [inputs] = inputs_of([case], model).values()
    kept = packed_levels(levels_on(case))
    return InitialMask.objects.create(
        case=case,
        slice_index=index,
        model=model,
        inputs_sha256=inputs,
        model_version=str(model),
        score=score,
        bits=bits,
        uncertainty=kept,
        uncertainty_sha256=sha256_of_bytes(kept),
    )
