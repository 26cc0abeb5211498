"""Weighting by sequence and times, at the borders between weightings and at every field strength."""

from dataclasses import replace

import pytest

from curation.series.header_physics import (
    Weighting,
    contradiction,
    fat_suppression,
    is_echo_planar,
    is_gradient_echo,
    is_single_shot,
    is_steady_state,
    weighting,
)
from datasets.dicom.header import SeriesEvidence

SE = SeriesEvidence(modality="MR", scanning_sequence=("SE",))


def _timed(tr: float | None, te: float | None, ti: float | None = None, **more: object) -> SeriesEvidence:
    evidence = replace(SE, repetition_time_ms=tr, echo_time_ms=te, inversion_time_ms=ti)
    return replace(evidence, **more)  # type: ignore[arg-type]


IR = {"scanning_sequence": ("IR",)}
GR = {"scanning_sequence": ("GR",)}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (_timed(550, 12), Weighting.T1),
        (_timed(1150, 20), Weighting.T1),
        (_timed(1350, 12), None),
        (_timed(600, 60), None),
        (_timed(4000, 80), Weighting.T2),
        (_timed(3000, 46), Weighting.T2),
        (_timed(3000, 40), None),
        (_timed(3000, 28), Weighting.PROTON_DENSITY),
        (_timed(None, 85), Weighting.T2),
        (_timed(None, 12), None),
        (_timed(4000, None), None),
        (_timed(5000, 500), None),
        (_timed(9000, 90, 2500), Weighting.FLAIR),
        (_timed(4000, 40, 160, **IR), Weighting.T2),
        (_timed(1200, 25, 85, **IR), Weighting.T2),
        (_timed(4000, 30, None, **IR), None),
        (_timed(2200, 12, 860, **IR), Weighting.T1),
        (_timed(1100, 12, 180), Weighting.T1),
        (_timed(1200, 90, echo_train_length=128), Weighting.T2),
        (_timed(1200, 90), None),
        (_timed(150, 4.5, **GR), Weighting.T1),
        (_timed(600, 18, **GR), Weighting.T2_STAR),
        (_timed(300, 12, **GR, field_strength_t=0.25), Weighting.T1),
        (_timed(9, 4, **GR), Weighting.SCOUT),
        (_timed(5, 2, **GR, mr_acquisition_type="3D"), Weighting.T1),
        (_timed(4000, 70, scanning_sequence=("EP",)), None),
        (_timed(4000, 70, scanning_sequence=("RM",)), Weighting.T2),
    ],
)
def test_weighting(evidence: SeriesEvidence, expected: Weighting | None) -> None:
    found = weighting(evidence)
    assert (found.weighting if found else None) is expected


@pytest.mark.parametrize(
    ("options", "suppressed"),
    [
        (("FS",), True), (("PFP", "FS"), True), (("SAT_GEMS", "FAST_GEMS", "FS"), True), (("FS_GEMS",), True),
        (("FatSat",), True), (("SPAIR",), True), (("SPIR",), True), (("ASPIR",), True), (("WE",), True),
        (("FAST_GEMS", "FSS_GEMS"), False), (("FSL_GEMS",), False), (("SFS",), True), (("FC",), False),
        (("OTHER",), False), ((), False), (("SAT1",), False), (("PFF", "SP"), False),
    ],
)  # fmt: skip
def test_scan_options_of_fat_suppression(options: tuple[str, ...], suppressed: bool) -> None:
    assert bool(list(fat_suppression(replace(SE, scan_options=options)))) is suppressed


@pytest.mark.parametrize(
    ("tr", "te", "claimed", "contradicts"),
    [
        (4000, None, Weighting.T1, True), (None, 80, Weighting.T1, True), (600, None, Weighting.T1, False),
        (600, None, Weighting.T2, True), (None, 12, Weighting.T2, True), (4000, None, Weighting.T2, False),
        (1350, 12, Weighting.T1, False), (3000, 40, Weighting.T2, False), (None, None, Weighting.T1, False),
    ],
)  # fmt: skip
def test_what_is_known_of_the_times_may_contradict_a_description(
    tr: float | None, te: float | None, claimed: Weighting, contradicts: bool
) -> None:
    assert bool(contradiction(_timed(tr, te), claimed)) is contradicts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("*tse2d1_15", ""), ("*se2d1", ""), ("*tir2d1rr13", ""), ("*fl2d1", "gradient echo"),
        ("*fl3d1_ns", "gradient echo"), ("*tfi2d1_60", "steady state"), ("*de3d1", "steady state"),
        ("*ep_b800t", "echo-planar"), ("*h2d1_256", "single shot"),
    ],
)  # fmt: skip
def test_siemens_names_of_sequences(name: str, expected: str) -> None:
    evidence = replace(SE, scanning_sequence=(), sequence_name=name)
    found = {
        "gradient echo": is_gradient_echo(evidence),
        "steady state": is_steady_state(evidence),
        "echo-planar": is_echo_planar(evidence),
        "single shot": is_single_shot(evidence),
    }
    assert [kind for kind, is_one in found.items() if is_one] == ([expected] if expected else [])


def test_gradient_echoes_in_steady_state() -> None:
    assert is_steady_state(replace(SE, scanning_sequence=("GR",), sequence_variant=("SS",)))
    assert not is_steady_state(replace(SE, scanning_sequence=("GR",), sequence_variant=("SS", "SP", "SK")))
