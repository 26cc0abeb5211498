"""What an initial mask is drawn from, as a digest: one of other inputs is drawn again and its estimate not counted."""

from collections.abc import Mapping, Sequence

from annotation_backend.cases.models import Case, ImportedMask
from annotation_backend.registry.models import Model
from annotation_backend.studies.models import Study
from datasets.files import canonical_json, sha256_of_bytes
from training.table.table import method_called

BOX_MARGIN_PIXELS = 3
"""An imported contour's box is widened by this much, as LiteMedSAM's own 3D recipe does from slice to slice."""


def inputs_of(cases: Sequence[Case], model: Model) -> dict[int, str]:
    """Digest of the inputs of each case's masks: registration, pictures, and the contour for models that use it."""
    contours: dict[int, list[str]] = {case.pk: [] for case in cases}
    if method_called(model.method).needs_contour:
        masks = ImportedMask.objects.filter(series__case__in=list(contours))
        for case_key, digest in masks.order_by("pk").values_list("series__case", "sha256"):
            contours[case_key].append(digest)
    studies = Study.objects.in_bulk({case.study_id for case in cases})  # one query, however many cases
    drawn = {case.pk: studies[case.study_id].protocol.drawn_role(case.tissue_type) for case in cases}
    return {
        case.pk: sha256_of_bytes(canonical_json(_inputs(case, drawn[case.pk], contours[case.pk]))) for case in cases
    }


def _inputs(case: Case, drawn: str, contours: list[str]) -> Mapping[str, object]:
    return {
        "registration": case.images_sha256,
        "pictures": case.picture_plane,
        "target": drawn,
        "contours": contours,
        "margin": BOX_MARGIN_PIXELS,
    }
