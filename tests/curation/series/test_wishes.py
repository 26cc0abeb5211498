"""A series is judged by what a protocol wants of an image: weighting, fat, contrast agent, plane, kernel."""

from dataclasses import replace

import pytest

from curation.series.role_rules import judge
from datasets.dicom.header import Plane, SeriesEvidence
from datasets.study.protocol import ImageRole, Modality, Wanted, WantedPlane, Weighting

MR = SeriesEvidence(
    modality="MR", sop_class="1.2.840.10008.5.1.4.1.1.4", plane=Plane.AXIAL, slice_count=30, scanning_sequence=("SE",)
)
T1 = replace(MR, series_description="t1_tse_tra", repetition_time_ms=550.0, echo_time_ms=12.0)
T1_GD = replace(T1, contrast_agent="Gadovist")
T2 = replace(MR, series_description="t2_tse_tra", repetition_time_ms=4000.0, echo_time_ms=80.0)
T2_FS = replace(T2, series_description="t2_tse_fs_tra", scan_options=("FS",))
PD = replace(MR, series_description="pd_tse_tra", repetition_time_ms=2800.0, echo_time_ms=20.0)
PD_LONG = replace(PD, repetition_time_ms=3000.0, echo_time_ms=48.0)
FLAIR = replace(
    MR, series_description="FLAIR tra", scanning_sequence=("SE", "IR"), repetition_time_ms=9000.0, echo_time_ms=120.0,
    inversion_time_ms=2500.0,
)  # fmt: skip
T2_STAR = replace(
    MR, series_description="t2* gre", scanning_sequence=("GR",), repetition_time_ms=600.0, echo_time_ms=18.0
)
CT = SeriesEvidence(
    modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2", plane=Plane.AXIAL, slice_count=60, units="HU",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"), convolution_kernel="B30f", series_description="Abdomen 3.0",
)  # fmt: skip
PET = SeriesEvidence(
    modality="PT", sop_class="1.2.840.10008.5.1.4.1.1.128", plane=Plane.AXIAL, slice_count=60, units="BQML",
    image_type=("ORIGINAL", "PRIMARY"), corrected_image=("DECY", "ATTN"), series_type=("WHOLE BODY", "IMAGE"),
)  # fmt: skip


def mr(weighting: Weighting | None, **wishes: object) -> ImageRole:
    return ImageRole("one", "one", Modality.MR, weighting, **wishes)  # type: ignore[arg-type]


CT_ROLE, PET_ROLE = ImageRole("ct", "CT", Modality.CT), ImageRole("pet", "PET", Modality.PET)


@pytest.mark.parametrize(
    ("evidence", "weighting"),
    [
        (T1, Weighting.T1),
        (T2, Weighting.T2),
        (PD, Weighting.PROTON_DENSITY),
        (PD_LONG, Weighting.PROTON_DENSITY),
        (FLAIR, Weighting.FLAIR),
        (T2_STAR, Weighting.T2_STAR),
    ],
)
def test_each_weighting_is_taken_by_its_own_role_alone(evidence: SeriesEvidence, weighting: Weighting) -> None:
    fitting = [wanted for wanted in Weighting if judge(evidence, mr(wanted)).is_plausible]
    assert fitting == [weighting]
    assert judge(evidence, mr(None)).is_plausible


@pytest.mark.parametrize(
    ("wish", "with_fat", "without"),
    [
        (Wanted.REQUIRE, 11, -12),
        (Wanted.PREFER, 9, 8),
        (Wanted.ALLOW, 8, 8),
        (Wanted.AVOID, 7, 8),
        (Wanted.REFUSE, -12, 8),
    ],
)
def test_wishes_of_fat_suppression(wish: Wanted, with_fat: int, without: int) -> None:
    """Axial 2, ten slices or more 1, times 4 that the description confirms 1: 8; a refusal takes 20."""
    role = mr(Weighting.T2, fat_suppression=wish)
    assert (judge(T2_FS, role).score, judge(T2, role).score) == (with_fat, without)


@pytest.mark.parametrize(
    ("wish", "after", "before"),
    [
        (Wanted.REQUIRE, 11, -12),
        (Wanted.PREFER, 9, 8),
        (Wanted.ALLOW, 8, 8),
        (Wanted.AVOID, 7, 8),
        (Wanted.REFUSE, -12, 8),
    ],
)
def test_wishes_of_a_contrast_agent(wish: Wanted, after: int, before: int) -> None:
    role = mr(Weighting.T1, contrast=wish)
    assert (judge(T1_GD, role).score, judge(T1, role).score) == (after, before)


def test_a_plane_is_that_which_is_wanted() -> None:
    coronal = replace(T1, plane=Plane.CORONAL)
    wanted = {plane: mr(Weighting.T1, plane=plane) for plane in WantedPlane}
    fitting = {plane.value for plane, role in wanted.items() if judge(coronal, role).is_plausible}
    assert fitting == {"coronal", "any"}
    assert judge(coronal, wanted[WantedPlane.SAGITTAL]).refusals == ("not-sagittal",)
    unknown = replace(T1, plane=Plane.UNKNOWN)
    assert judge(unknown, wanted[WantedPlane.ANY]).refusals == ("plane-unknown",)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"series_description": "Topogram  0.6  T20f"}, "localizer"),
        ({"series_description": "Dose Report"}, "screen-capture"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.7"}, "screen-capture"),
        ({"image_type": ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")}, "reformat"),
        ({"image_type": ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR")}, "reformat"),
        ({"series_description": "MIP 10.0"}, "projection"),
        ({"series_description": "Monitoring"}, "dynamic"),
        ({"series_description": "Iodine map"}, "computed-map"),
        ({"units": "Z_EFF"}, "computed-map"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL"), "series_description": ""}, "derived-unsaid"),
        ({"plane": Plane.CORONAL}, "not-axial"),
        ({"slice_count": 2}, "too-few-slices"),
        ({"modality": "MR"}, "other-modality"),
    ],
)
def test_what_is_no_plain_ct(change: dict[str, object], refusal: str) -> None:
    assert judge(CT, CT_ROLE).score == 7
    assert refusal in judge(replace(CT, **change), CT_ROLE).refusals  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", ["Abdomen venous 3.0", "CT arterial", "portal venous", "CT mit KM"])
def test_a_phase_after_contrast_agent_is_a_plain_ct_and_enhanced(phase: str) -> None:
    evidence = replace(CT, series_description=phase)
    assert judge(evidence, CT_ROLE).is_plausible
    assert judge(evidence, replace(CT_ROLE, contrast=Wanted.REFUSE)).refusals == ("contrast-enhanced",)


@pytest.mark.parametrize(
    ("kernel", "is_soft"),
    [
        ("B30f", True), ("Br40d\\3", True), ("I31f", True), ("STANDARD", True), ("SOFT", True), ("B", True),
        ("FC13", True), ("B_SOFT_C", True), ("B60f", False), ("Bl57f", False), ("Hr68f", False), ("LUNG", False),
        ("BONEPLUS", False), ("YA", False), ("FC52", False), ("FC30", False), ("FC86", False), ("B_SHARP_C", False),
    ],
)  # fmt: skip
def test_kernels(kernel: str, is_soft: bool) -> None:
    evidence = replace(CT, convolution_kernel=kernel, series_description="Thorax")
    assert ("reconstructed for bone or lung (-1)" not in judge(evidence, CT_ROLE).reasons) is is_soft


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"corrected_image": ("DECY", "NORM")}, "not-attenuation-corrected"),
        ({"corrected_image": (), "series_description": "PET NAC"}, "not-attenuation-corrected"),
        ({"series_type": ("GATED", "IMAGE")}, "dynamic"),
        ({"series_type": ("WHOLE BODY", "REPROJECTION")}, "projection"),
        ({"series_description": "PET MIP"}, "projection"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.7"}, "screen-capture"),
    ],
)
def test_what_is_no_plain_pet(change: dict[str, object], refusal: str) -> None:
    assert judge(PET, PET_ROLE).score == 8
    assert refusal in judge(replace(PET, **change), PET_ROLE).refusals  # type: ignore[arg-type]


def test_a_volume_file_has_to_say_that_it_is_a_ct() -> None:
    unnamed = SeriesEvidence(plane=Plane.AXIAL, slice_count=40)
    assert judge(unnamed, CT_ROLE).refusals == ("modality-unknown",)
    assert judge(replace(unnamed, modality="CT"), CT_ROLE).is_plausible
    assert judge(replace(unnamed, modality="CT", plane=Plane.OBLIQUE), CT_ROLE).is_plausible
