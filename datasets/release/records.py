"""What stands beside a case's images and mask: BIDS sidecars, and how the mask came about, without names of people.

Source: BIDS 1.10, "Derivatives: common data types", "Imaging data types".
"""

from collections.abc import Mapping
from typing import Any

from datasets.release.paths import CasePaths
from datasets.release.release_case import ReleaseCase
from datasets.release.settings import ReleaseSettings
from datasets.study.grey_values import LEVELS, GreyValues

RECORD_SCHEMA = "maskloop-case/1"

OURS = "Maskloop"
"""The part of a record that is none of BIDS's words."""

PROVENANCE = "provenance"
GREY_VALUES = "grey_values"
"""By role, quantiles of the image in the mask and outside of it (`datasets.study.grey_values`)."""

_LESION = "Lesion"
"""BIDS's word for a mask of a tumour."""


def image_sidecar(case: ReleaseCase, settings: ReleaseSettings, role: str) -> dict[str, Any]:
    """The JSON beside an image.

    Args:
        case: The image's case.
        settings: The release's.
        role: The image's role.
    """
    [found] = [each for each in settings.roles if each.name == role]
    placed = "drawn on" if role == case.drawn_role else f"on the grid of {case.drawn_role}"
    return {"Description": f"{found.title}, {placed}", "SkullStripped": False}


def case_record(
    case: ReleaseCase,
    settings: ReleaseSettings,
    *,
    paths: CasePaths,
    sources: Mapping[str, str],
    grey_values: Mapping[str, GreyValues],
) -> dict[str, Any]:
    """The JSON beside a mask: BIDS's words first, then ours.

    Args:
        case: The mask's case.
        settings: The release's.
        paths: Where the case's files lie.
        sources: SHA-256 of what the files came from, by name.
        grey_values: Of its images, by role.
    """
    return {
        "Description": f"Mask of {', '.join(name for _, name in sorted(settings.labels.items()))}",
        "Sources": [f"bids::{path}" for path in paths.images.values()],
        "SpatialReference": f"bids::{paths.images[case.drawn_role]}",
        "Type": _LESION,
        OURS: {
            "schema": RECORD_SCHEMA,
            "case": case.code,
            "drawn_image": case.drawn_role,
            "labels": {str(value): name for value, name in sorted(settings.labels.items())},
            "quality_score": str(case.quality_score) if case.quality_score else None,
            "unannotated_slices": sorted(case.unannotated_slices),
            "grey_levels": list(LEVELS),
            GREY_VALUES: {role: each.as_dict() for role, each in grey_values.items()},
            PROVENANCE: dict(case.provenance),
            "sources": dict(sorted(sources.items())),
        },
    }
