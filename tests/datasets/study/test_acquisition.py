"""How an image was acquired: numbers and known words alone."""

import json

from datasets.dicom.evidence import Plane, SeriesEvidence
from datasets.study.acquisition import acquisition_of


def test_numbers_and_vendor() -> None:
    evidence = SeriesEvidence(
        modality="MR",
        manufacturer="SIEMENS HEALTHINEERS",
        field_strength_t=1.5,
        repetition_time_ms=540.12341,
        echo_time_ms=12.0,
        spacing=(0.5, 0.5, 4.4),
        slice_thickness_mm=4.0,
        slice_count=40,
        plane=Plane.AXIAL,
        mr_acquisition_type="2D",
    )
    assert acquisition_of(evidence) == {
        "vendor": "siemens",
        "field_strength_t": 1.5,
        "repetition_time_ms": 540.1234,
        "echo_time_ms": 12.0,
        "dimensions": "2D",
        "plane": "axial",
        "slices": 40,
        "spacing_mm": [0.5, 0.5, 4.4],
        "slice_thickness_mm": 4.0,
        "has_contrast_agent": False,
    }


def test_no_text_that_a_person_typed_comes_out() -> None:
    canary = "CANARY^PATIENT"
    evidence = SeriesEvidence(
        modality="CT",
        manufacturer=canary,
        manufacturer_model=canary,
        series_description=canary,
        protocol_name=canary,
        contrast_agent=canary,
        body_part=canary,
        mr_acquisition_type=canary,
        convolution_kernel=canary,
    )
    found = acquisition_of(evidence)
    assert found == {"vendor": "other", "has_contrast_agent": True}
    assert "CANARY" not in json.dumps(found)


def test_a_kernel_is_a_ct_s() -> None:
    assert acquisition_of(SeriesEvidence(modality="CT", convolution_kernel="B30f"))["kernel"] == "B30f"
    assert "kernel" not in acquisition_of(SeriesEvidence(modality="MR", convolution_kernel="B30f"))
    assert acquisition_of(SeriesEvidence()) == {}
