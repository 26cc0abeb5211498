"""Uncertainty maps: how unsure a model is of each voxel of a case, kept slice by slice beside its initial masks.

A map lies in the rows of the masks, 8 bits a pixel: it is written with them, drawn anew with them, and gone with them.
Only the maps of the models that drew a case last are kept, so that they do not grow with every training.
"""

from dataclasses import dataclass, field

import numpy as np
from django.db.models import Max, QuerySet

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.mask_inputs import inputs_of
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.pictures.packed_levels import Levels, unpacked_levels

MAPS_KEPT = 2
"""Models whose maps of a case are kept: that which serves, and the one before it, to which a study may go back."""


@dataclass(frozen=True, eq=False)
class UncertaintyMap:
    """A model's uncertainty map of a case, of the images as they are now.

    Args:
        case: The case.
        model: The model.
        slices: Digest of each slice's bytes, by index.
    """

    case: Case
    model: Model
    slices: dict[int, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Digest of the map, without reading it."""
        return sha256_of_bytes(canonical_json([self.case.images_sha256, sorted(self.slices.items())]))

    def levels(self) -> Levels:
        """The map on the case's grid, in steps of 1/255; 0 on slices that the model did not draw.

        Raises:
            DamagedFile: Its bytes are not those that were written (``uncertainty-damaged``).
        """
        plane = picture_plane(self.case)
        data = np.zeros(plane.grid.shape, dtype=np.uint8)
        rows = _rows(self.case).filter(model=self.model, slice_index__in=self.slices)
        # Each with its own digest: a slice may have been drawn anew since the map was looked up.
        for index, kept, sha256 in rows.values_list("slice_index", "uncertainty", "uncertainty_sha256").iterator():
            levels = _whole(bytes(kept or b""), sha256, plane.shape)
            if levels is None:
                raise _damaged(self.case, index)
            plane.from_picture(levels, into=data, index=index)
        return data


def uncertainty_maps(case: Case) -> list[UncertaintyMap]:
    """The maps of a case that are of its images as they are now, that of the newest model first; reads none of them.

    Args:
        case: With its images.
    """
    found: dict[int, dict[int, tuple[str, str]]] = {}
    rows = _rows(case).values_list("model", "slice_index", "inputs_sha256", "uncertainty_sha256")
    for key, index, inputs, sha256 in rows:
        found.setdefault(key, {})[index] = (inputs, sha256)
    maps = []
    for model in Model.objects.filter(pk__in=found).order_by("-pk"):
        [current] = inputs_of([case], model).values()
        slices = {index: sha256 for index, (inputs, sha256) in found[model.pk].items() if inputs == current}
        if slices:
            maps.append(UncertaintyMap(case, model, slices))
    return maps


def drop_former_maps(case: Case) -> None:
    """Removes the maps of models that drew the case before the last ones; their masks stay."""
    newest = _rows(case).values("model").annotate(last=Max("drawn")).order_by("-last", "-model")
    kept = [row["model"] for row in newest[:MAPS_KEPT]]
    _rows(case).exclude(model__in=kept).update(uncertainty=None, uncertainty_sha256="")


def _rows(case: Case) -> QuerySet[InitialMask]:
    return InitialMask.objects.filter(case=case, uncertainty__isnull=False)


def _whole(kept: bytes, sha256: str, shape: tuple[int, int]) -> Levels | None:
    """The levels of a slice; None where the bytes are not those that were written."""
    try:
        return unpacked_levels(kept, shape) if sha256_of_bytes(kept) == sha256 else None
    except RejectedInput:
        return None


def _damaged(case: Case, index: int) -> DamagedFile:
    return DamagedFile(
        "uncertainty-damaged",
        f"The uncertainty map of slice {index} of {case.code} is not the one that was written.",
        remedy="Restore the database from its backup; the masks are not concerned.",
    )
