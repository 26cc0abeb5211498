"""Which headers are an axial T1 and which an axial fat-suppressed T2: several vendors' dialects and the distractors."""

from dataclasses import replace

import pytest

from curation.pairing.pairing import MARGIN
from curation.series.role_rules import judge
from curation.series.signs import is_contrast_enhanced, is_fat_suppressed
from datasets.dicom.header import Plane, SeriesEvidence
from tests.curation.support.protocols import T1_IMAGE, T2_IMAGE

BASE = SeriesEvidence(modality="MR", plane=Plane.AXIAL, slice_count=30, spacing=(0.5, 0.5, 5.0))


def series(description: str = "", *, sequence: str = "SE", tr: float | None = None, te: float | None = None,
           ti: float | None = None, options: tuple[str, ...] = (), image_type: tuple[str, ...] = (),
           agent: str = "") -> SeriesEvidence:  # fmt: skip
    return replace(
        BASE,
        series_description=description,
        scanning_sequence=(sequence,),
        repetition_time_ms=tr,
        echo_time_ms=te,
        inversion_time_ms=ti,
        scan_options=options,
        image_type=image_type,
        contrast_agent=agent,
    )


T1_SERIES = {
    "Siemens": series("t1_tse_tra", tr=550, te=12),
    "Philips": series("sT1W_TSE", tr=620, te=18),
    "GE": series("AX T1 FSE", tr=700, te=10, options=("FAST_GEMS", "NPW")),
    "times only": series("", tr=500, te=14),
    "text only": series("AXIAL SE T1 - RESEARCH"),
}
T2_SERIES = {
    "Siemens": series("t2_tse_fs_tra", tr=4000, te=80, options=("FS",)),
    "Philips SPAIR": series("T2W_SPAIR", tr=3800, te=70, options=("SPAIR",)),
    "Siemens Dixon": series("t2_tse_dixon_tra_W", tr=4500, te=85, image_type=("DERIVED", "PRIMARY", "DIXON", "WATER")),
    "STIR": series("STIR_longTE", sequence="IR", tr=4300, te=60, ti=160),
    "TIRM without times": series("tirm tra"),
    "text only": series("AXIAL SE T2 FAT SAT - RESEARCH"),
}


@pytest.mark.parametrize("name", T1_SERIES)
def test_t1(name: str) -> None:
    assert judge(T1_SERIES[name], T1_IMAGE).is_plausible
    assert not judge(T1_SERIES[name], T2_IMAGE).is_plausible
    assert not is_fat_suppressed(T1_SERIES[name])


@pytest.mark.parametrize("name", T2_SERIES)
def test_t2(name: str) -> None:
    assert judge(T2_SERIES[name], T2_IMAGE).is_plausible
    assert not judge(T2_SERIES[name], T1_IMAGE).is_plausible
    assert is_fat_suppressed(T2_SERIES[name])


@pytest.mark.parametrize(
    "distractor",
    [
        replace(T1_SERIES["Siemens"], plane=Plane.CORONAL),
        replace(T2_SERIES["Siemens"], plane=Plane.SAGITTAL),
        replace(T1_SERIES["Siemens"], slice_count=3),
        replace(T1_SERIES["Siemens"], modality="CT"),
        series("LOCALIZER T1", sequence="GR", tr=8, te=4),
        series("survey", sequence="GR", tr=11, te=5, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")),
        series("ep2d_diff_b50_400_800", sequence="EP", tr=5000, te=70, options=("FS",)),
        series("ADC map", sequence="EP", tr=5000, te=70, image_type=("DERIVED", "PRIMARY", "ADC")),
        series("t1_vibe_dyn SUB", sequence="GR", tr=4, te=2, agent="Gadovist"),
        series("PD fs tra", tr=3000, te=20, options=("FS",)),
        series("t2* gre tra", sequence="GR", tr=600, te=18),
        series("T2 map", tr=2000, te=50),
        series("t2_tse_dixon_tra_F", tr=4500, te=85, image_type=("DERIVED", "PRIMARY", "DIXON", "FAT")),
        series("T1 tra", tr=4000, te=90),
        series("T2 tra fs", tr=500, te=12),
        series("T1 and T2"),
        series(""),
        SeriesEvidence(),
    ],
)
def test_distractors(distractor: SeriesEvidence) -> None:
    assert not judge(distractor, T1_IMAGE).is_plausible
    assert not judge(distractor, T2_IMAGE).is_plausible


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (replace(T1_SERIES["Siemens"], contrast_agent="Gadovist"), "contrast-enhanced"),
        (replace(T1_SERIES["Siemens"], scan_options=("PFP", "FS")), "fat-suppressed"),
        (replace(T1_SERIES["Siemens"], burned_in_annotation="YES"), "burned-in-annotation"),
        (replace(T1_SERIES["Siemens"], plane=Plane.CORONAL), "not-axial"),
        (replace(T1_SERIES["Siemens"], sop_class="1.2.840.10008.5.1.4.1.1.7"), "screen-capture"),
        (replace(T1_SERIES["Siemens"], image_type=("DERIVED", "SECONDARY", "MPR")), "reformat"),
        (replace(T1_SERIES["Siemens"], image_type=("ORIGINAL", "PRIMARY", "P", "ND")), "phase-image"),
    ],
)
def test_what_rules_a_t1_out_has_a_name(change: SeriesEvidence, code: str) -> None:
    judgement = judge(change, T1_IMAGE)
    assert code in judgement.refusals
    assert not judgement.is_plausible


def test_a_t2_without_fat_suppression_is_no_candidate() -> None:
    plain = judge(series("t2_tse_tra", tr=4000, te=80), T2_IMAGE)
    assert plain.refusals == ("not-fat-suppressed",)
    assert judge(T2_SERIES["Siemens"], T2_IMAGE).score == plain.score + 20 + 3


def test_two_right_series_lie_within_the_margin_whatever_their_headers_say() -> None:
    rich = judge(replace(T2_SERIES["Siemens"], slice_count=30), T2_IMAGE)
    poor = judge(replace(T2_SERIES["text only"], slice_count=6, scan_options=()), T2_IMAGE)
    assert poor.is_plausible
    assert 0 < rich.score - poor.score < MARGIN


@pytest.mark.parametrize(
    ("words", "suppressed"),
    [("T2 FS", True), ("t2fs", True), ("T2 FatSat", True), ("T2 w/o FS", False), ("T2 non fat sat", False),
     ("T2 no FatSat", False), ("T2 OFFSET", False), ("T2 fat", False),
     ("T2 fettgesättigt", True), ("T2 sat graisse", True), ("T2 sans FS", False),
     ("T2 supresión grasa", True), ("T2 vetsuppressie", True), ("T2 mDIXON_W", True), ("WATER: AX T2 IDEAL", True),
     ("T2 mDIXON_F", False), ("T2 SPAIR", True), ("T2 PASTA", True),
     ("T2 w/out FS", False), ("T2 no SPAIR", False), ("T2 nicht fettges.", False), ("T2 utan FS", False),
     ("T2 bez FS", False), ("T2 FS off", False), ("T2 ohne SPIR", False), ("T2 fat sat (no)", False),
     ("T2 no-STIR", False), ("T2 minus FS", False), ("T2 water excitation off", False), ("T2 no chess", False)],
)  # fmt: skip
def test_words_of_fat_suppression(words: str, suppressed: bool) -> None:
    assert is_fat_suppressed(series(words)) is suppressed


@pytest.mark.parametrize(
    ("words", "agent", "enhanced"),
    [("T1 +C", "", True), ("T1 post Gd", "", True), ("t1c", "", True), ("T1 without contrast", "", False),
     ("T1 pre contrast", "", False), ("T1 nativ", "", False), ("T1", "NONE", False), ("T1", "Dotarem", True),
     ("T1 mit KM", "", True), ("T1 ohne KM", "", False),
     ("T1 gado", "", True), ("T1 sans injection", "", False), ("T1 après injection", "", True),
     ("T1 post op", "", False),
     ("T1 poscontraste", "", True), ("T1 sin contraste", "", False), ("T1 na contrast", "", True),
     ("T1 blanco", "", False),
     ("T1", "ohne", False), ("T1", "10 ml", True),
     ("T1 postkontrast", "", True), ("T1_pKM", "", True), ("T1 POSTCON", "", True), ("T1 CM", "", True),
     ("T1 i.v.", "", True), ("T1 CIV", "", True), ("T1 GBCA", "", True), ("T1 FSE +", "", True),
     ("T1 km2", "", True), ("T1 nachKM", "", True), ("T1 W/CON", "", True), ("T1 P/C", "", True),
     ("T1 造影後", "", True), ("T1 с контрастом", "", True), ("T1 增强", "", True),
     ("T1", "ガドビスト", True), ("T1", "Гадовист", True), ("T1", "-", False), ("T1 FOV 20 cm", "", False),
     ("T1 bez kontrastu", "", False), ("T1 w/out contrast", "", False), ("T1 w/o cont", "", False)],
)  # fmt: skip
def test_words_of_contrast(words: str, agent: str, enhanced: bool) -> None:
    assert is_contrast_enhanced(series(words, agent=agent)) is enhanced


def test_reasons_say_why_and_never_quote() -> None:
    reasons = judge(series("T1 Florence Nightingale +C", tr=550, te=12, agent="Nightingale"), T1_IMAGE).reasons
    assert reasons == (
        "axial (+2)",
        "30 slices (+1)",
        "TR 550 ms and TE 12 ms: T1-weighted (+4)",
        "the description says T1 (+1)",
        "contrast-enhanced (-20)",
    )


def test_a_protocol_of_one_weighting_tells_of_contrast_agent() -> None:
    told = replace(T1_SERIES["Siemens"], protocol_name="t1_tse_tra_km")
    whole = replace(T1_SERIES["Siemens"], protocol_name="thigh with and after contrast")
    assert is_contrast_enhanced(told)
    assert not is_contrast_enhanced(whole)


@pytest.mark.parametrize(("tr", "te", "role"), [(3000.0, 48.0, T2_IMAGE), (1100.0, 33.0, T1_IMAGE)])
def test_what_is_called_proton_density_and_may_be_is_neither(tr: float, te: float, role: str) -> None:
    like = T2_SERIES["Siemens"] if role is T2_IMAGE else T1_SERIES["Siemens"]
    named = replace(like, series_description="pd tra", repetition_time_ms=tr, echo_time_ms=te)
    assert judge(named, role).refusals == ("proton-density-weighted",)
    assert judge(replace(named, series_description=""), role).is_plausible
