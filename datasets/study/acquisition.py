"""How an image was acquired, as may be published: the vendor and numbers, no word that a person typed.

It stands in the record of a series, goes from there into the provenance of a case, and becomes the acquisition table of
a release's card.
"""

import re
from typing import Any

from datasets.dicom.evidence import Plane, SeriesEvidence
from datasets.study.splits.vendors import vendor_of

_KERNEL = re.compile(r"[A-Za-z0-9]{1,12}")
_DIGITS = 4


def acquisition_of(evidence: SeriesEvidence) -> dict[str, Any]:
    """Plain values for JSON by name; what the header does not say is left out.

    Args:
        evidence: Of the series.

    Returns:
        ``vendor``, ``field_strength_t``, ``repetition_time_ms``, ``echo_time_ms``, ``inversion_time_ms``,
        ``flip_angle_degrees``, ``echo_train_length``, ``dimensions`` (``2D`` or ``3D``), ``plane``, ``slices``,
        ``spacing_mm`` (columns, rows, slices), ``slice_thickness_mm``, ``has_contrast_agent``, and ``kernel`` of a CT.
    """
    kernel = evidence.convolution_kernel if evidence.modality == "CT" else ""
    found: dict[str, Any] = {
        "vendor": vendor_of(evidence.manufacturer) or None,
        "field_strength_t": evidence.field_strength_t,
        "repetition_time_ms": evidence.repetition_time_ms,
        "echo_time_ms": evidence.echo_time_ms,
        "inversion_time_ms": evidence.inversion_time_ms,
        "flip_angle_degrees": evidence.flip_angle,
        "echo_train_length": evidence.echo_train_length,
        "dimensions": evidence.mr_acquisition_type if evidence.mr_acquisition_type in ("2D", "3D") else None,
        "plane": evidence.plane.value if evidence.plane is not Plane.UNKNOWN else None,
        "slices": evidence.slice_count or None,
        "spacing_mm": list(evidence.spacing) if evidence.spacing else None,
        "slice_thickness_mm": evidence.slice_thickness_mm,
        "has_contrast_agent": bool(evidence.contrast_agent.strip()) if evidence.modality in ("MR", "CT") else None,
        "kernel": kernel if _KERNEL.fullmatch(kernel) else None,
    }
    return {name: _rounded(value) for name, value in found.items() if value is not None}


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
