"""What the page's script is told of a case: addresses of images and masks, how its slices lie, windows, comments."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from annotation_backend.cases.models import Case, modality_of, title_of
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.labeling.models import CaseMask
from annotation_backend.review.viewing.overlays import Overlay, OverlayKind
from annotation_backend.studies.addresses import page_of
from datasets.image.intensity import presets_of

VIEWS = (
    ("planes", "Three planes"),
    ("axial", "Axial"),
    ("coronal", "Coronal"),
    ("sagittal", "Sagittal"),
    ("rendering", "3D"),
)
"""Views of the images, in the order in which a key goes through them."""

KEYS = (
    ("1 2 3 4 5", "score the mask"),
    ("A", "approve, and open the next case"),
    ("R", "return to the annotator, and open the next case"),
    ("U", "say that slices nobody submitted are empty"),
    ("N", "next case without a verdict"),
    ("K ↑", "next slice"),
    ("J ↓", "slice before; Page Up and Page Down go five, Home and End to the ends"),
    ("D", "next finding: holes, gaps, pieces, jumps, where readers differ, open comments"),
    ("L", "slice with the largest change against the former version"),
    ("C", "pin a comment where the cross stands"),
    ("M", "the mask that counts, on and off"),
    ("F P O", "a former version, a model's mask, another reader's"),
    ("H", "how unsure a model is, on and off"),
    ("G", "outlines or filled"),
    ("X", "diameters"),
    ("E Z", "correct the mask with a pen, where the stage allows it; take a stroke back"),
    ("W", "next view"),
    ("B", "the other image, and back"),
    ("+ - 0", "larger, smaller, whole"),
    ("?", "these keys"),
)
"""Keys and what they do, for people; `static/maskloop/review/page.js` has them."""


def viewer_values(case: Case, mask: CaseMask | None, overlays: Sequence[Overlay]) -> dict[str, Any] | None:
    """Plain values for the viewer; None of a case whose images or pictures are not there yet.

    Args:
        case: With its images.
        mask: The mask that counts, or None.
        overlays: As `overlays_of` gives them.
    """
    if not case.is_registered or not case.picture_plane:
        return None
    plane = picture_plane(case)
    return {
        "images": [_image(case, image.role, image.sha256) for image in case.shown_images],
        "overlays": [overlay.as_dict() for overlay in overlays],
        "labels": [
            {"value": label.value, "name": label.name, "colour": label.colour} for label in case.protocol.labels
        ],
        "plane": {
            "axis": plane.slice_axis,
            "anatomical": plane.anatomical.value,
            "count": plane.slice_count,
            "shape": list(plane.grid.shape),
        },
        "figures": _figures(case, mask, overlays),
        "comments": page_of(case.study, "review-comments", case.code),
    }


def _image(case: Case, role: str, sha256: str) -> dict[str, Any]:
    modality = modality_of(case, role)
    return {
        "role": role,
        "title": title_of(case, role),
        "address": f"{page_of(case.study, 'review-volume', case.code, role)}?v={sha256[:16]}",
        "isDrawn": role == case.drawn_role,
        "unit": {"CT": "HU", "PT": "SUV"}.get(modality, ""),
        "windows": [asdict(preset) for preset in presets_of(modality)],
    }


def _figures(case: Case, mask: CaseMask | None, overlays: Sequence[Overlay]) -> str:
    """Address of the mask's numbers, compared with the version before it where there is one."""
    if mask is None:
        return ""
    former = next((one.key for one in overlays if one.kind is OverlayKind.FORMER), "")
    compared = f"?former={former.removeprefix('mask-')}" if former else ""
    return f"{page_of(case.study, 'review-figures', mask.pk)}{compared}"
