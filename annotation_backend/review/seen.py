"""Record of all that a case's reviewer looks at, by digest: images, registration, pictures, mask and saves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, CaseMask
from annotation_backend.labeling.versions.standing import Standing, standing_of
from datasets.files import canonical_json, sha256_of_bytes


@dataclass(frozen=True)
class Seen:
    """The content of a case's review page.

    Args:
        record: As `seen_record` gives it.
        standing: The saves and the mask that count.
    """

    record: Mapping[str, Any]
    standing: Standing

    @property
    def sha256(self) -> str:
        """Digest of the record; an approval holds as long as it stays the same."""
        return sha256_of_bytes(canonical_json(dict(self.record)))


def seen_now(case: Case) -> Seen:
    """The content of the case's review page now, read afresh from the database."""
    fresh = Case.objects.with_images().get(pk=case.pk)
    standing = standing_of(fresh)
    return Seen(seen_record(fresh, standing.mask, standing.saves), standing)


def seen_record(case: Case, mask: CaseMask | None, saves: Mapping[int, Annotation]) -> dict[str, Any]:
    """The record of a review page; plain values, equal for equal content.

    Args:
        case: With its images on one grid.
        mask: The mask that counts, or None.
        saves: The saves that count, by slice index.
    """
    pictures = sorted(case.slices.values_list("role", "index", "sha256"))
    return {
        "registration": case.images_sha256,
        "images": {image.role: image.sha256 for image in case.shown_images},
        "pictured": case.pictured_sha256,
        "pictures": sha256_of_bytes(canonical_json([list(picture) for picture in pictures])),
        "sequence": case.drawn_role,
        "mask": mask.sha256 if mask else None,
        "mask_inputs": mask.inputs_sha256 if mask else None,
        "saves": [_save(index, save) for index, save in sorted(saves.items())],
    }


def _save(index: int, save: Annotation) -> list[Any]:
    """One save: slice, annotation, digest of its content, annotators."""
    return [index, save.label_studio_id, save.content_sha256, save.completed_by, save.updated_by]
