"""Reading descriptions in seven languages, and words that only look like a technique."""

import pytest

from curation.names.description_words import TextWeighting, read_words

T1, T2, STIR = TextWeighting.T1, TextWeighting.T2, TextWeighting.STIR


@pytest.mark.parametrize(
    ("text", "weighting"),
    [
        ("t1_tse_tra_320", T1), ("sT1W_TSE", T1), ("AX T2 FRFSE FS", T2), ("T2W_SPAIR", T2), ("fsT2 tra", T2),
        ("t2_tirm_tra", T2), ("STIR ax", STIR), ("TIRM cor", STIR), ("T1 FLAIR", T1), ("T2 FLAIR", TextWeighting.FLAIR),
        ("PD FS tra", TextWeighting.PROTON_DENSITY), ("DP FAT SAT", TextWeighting.PROTON_DENSITY),
        ("T2* GRE", TextWeighting.T2_STAR), ("t2 star", TextWeighting.T2_STAR), ("PD T2 dual", None),
        ("T1 and T2", None),
        ("T10 - T12 ax", None), ("T1rho", None), ("Oberschenkel", None), ("", None), ("AXIAL SE T1 - RESEARCH", T1),
    ],
)  # fmt: skip
def test_weightings(text: str, weighting: TextWeighting | None) -> None:
    assert read_words(text).weighting is weighting


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LOCALIZER", "localizer"), ("Survey", "localizer"), ("reperage", "localizer"), ("Planung", "localizer"),
        ("3-pl T2* FGRE", "localizer"), ("localizador", "localizer"), ("ep2d_diff_b50_b800", "diffusion"),
        ("DWI b=800", "diffusion"), ("ADC", "computed-map"), ("T2 map", "computed-map"), ("SUB 2-1", "subtraction"),
        ("soustraction", "subtraction"), ("sous T1", "subtraction"), ("Subtraktion", "subtraction"),
        ("sustraccion", "subtraction"), ("MIP tra", "projection"), ("MPR cor", "reformat"), ("t1_vibe_dyn", "dynamic"),
        ("DCE", "dynamic"), ("twist", "dynamic"), ("TOF", "angiography"), ("CE-MRA", "angiography"),
        ("FAT: Ax T2 IDEAL", "fat-image"), ("t2_dixon_tra_F", "fat-image"), ("t2_dixon_tra_opp", "in-or-opposed-phase"),
        ("InPhase: AX T2 FLEX", "in-or-opposed-phase"), ("T1 in-phase", "in-or-opposed-phase"),
        ("Screen Save", "screen-capture"),
    ],
)  # fmt: skip
def test_other_kinds(text: str, kind: str) -> None:
    assert kind in read_words(text).kinds


@pytest.mark.parametrize(
    "text",
    [
        "T1 tra", "t2_tse_fs_tra_p2", "T2 FAT SAT axiale", "T1 plantar fascia", "T1 posterior thigh", "T1 old injury",
        "T1 local recurrence", "T2 fat sat", "T2 sat graisse", "T2 saturacion de grasa", "AX T2 FSE-XL FS",
        "T1 subcutaneous", "C-spine T1", "T2 deep compartment", "T1 lateral", "t2_dixon_tra_W", "WATER: AX T2",
    ],
)  # fmt: skip
def test_words_that_only_look_like_other_kinds_or_contrast(text: str) -> None:
    said = read_words(text)
    assert (said.kinds, said.contrast) == (frozenset(), False)


def test_accents_and_signs_do_not_matter() -> None:
    assert read_words("T1 après injection").contrast
    assert read_words("T2_tra_fettgesättigt").fat_suppressed
    assert read_words("T2 SUPRESIÓN DE GRASA").fat_suppressed
    assert not read_words("T1 ohne Kontrastmittel").contrast
