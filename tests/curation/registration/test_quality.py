"""The battery of checks doubts wrong registrations and accepts right ones, on a phantom and on real anatomy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.registration.recovery import RIGHT, held, measured, pairs_of, patients, table
from curation.registration.motion_search import RegistrationSettings, SearchLevel
from curation.registration.quality import Check, Limits, RegistrationQuality, Verdict
from datasets.image.volume import Volume
from datasets.phantom.anatomy import draw_anatomy
from tests.curation.registration.test_register import T1_GRID, elsewhere, pair, registered, turned
from tests.data import STS_NIFTI, require

QUICK = RegistrationSettings(levels=(SearchLevel(5.0, 80), SearchLevel(2.5, 40)), affine_levels=())


def check(verdict: Verdict) -> Check:
    return Check("some", 1.0, 0.5, verdict, "Said.")


def test_the_worst_check_decides() -> None:
    accept, look, reject = (check(verdict) for verdict in Verdict)
    assert RegistrationQuality((accept, accept)).verdict is Verdict.ACCEPT
    assert RegistrationQuality((accept, look)).verdict is Verdict.LOOK
    assert RegistrationQuality((look, reject, accept)).verdict is Verdict.REJECT
    assert RegistrationQuality((accept, look)).as_dict()["checks"][1]["verdict"] == "look"


@pytest.mark.parametrize(
    ("limits", "value", "verdict"),
    [
        (Limits(0.7, 0.4, at_least=True), 0.8, "accept"),
        (Limits(0.7, 0.4, at_least=True), 0.69, "look"),
        (Limits(0.7, 0.4, at_least=True), 0.39, "reject"),
        (Limits(20, 60, at_least=False), 20, "accept"),
        (Limits(20, 60, at_least=False), 21, "look"),
        (Limits(20, 60, at_least=False), 61, "reject"),
        (Limits(20, None, at_least=False), 1e9, "look"),
        (Limits(20, 60, at_least=False), float("nan"), "reject"),
        (Limits(0.7, None, at_least=True), float("inf"), "reject"),
    ],
)
def test_limits_say_what_a_value_is_worth(limits: Limits, value: float, verdict: str) -> None:
    assert limits.verdict(value) == verdict


@pytest.mark.slow
def test_a_sound_pair_is_accepted_and_says_why() -> None:
    t1, t2 = pair()
    quality = registered(elsewhere(t1, turned((0, 0, 5), (4, 3, -5))), t2, settings=QUICK).quality
    assert quality.verdict is Verdict.ACCEPT, [one for one in quality.checks if one.verdict != "accept"]
    assert len({one.code for one in quality.checks}) == len(quality.checks) >= 9
    assert all(one.message.endswith(".") and np.isfinite(one.value) for one in quality.checks)


def another_limb() -> Volume:
    anatomy = draw_anatomy("fat", np.random.default_rng(77))
    points = T1_GRID.to_world(np.moveaxis(np.indices(T1_GRID.shape), 0, -1))
    signal = anatomy.signal(points, sequence="t1") + np.random.default_rng(6).normal(scale=0.02, size=T1_GRID.shape)
    return Volume((1000 * signal).astype(np.float32), T1_GRID)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "t1"),
    [
        ("upside down", Volume(np.ascontiguousarray(pair()[0].data[:, ::-1, ::-1]), T1_GRID)),
        ("another limb", another_limb()),
        ("noise", Volume(np.random.default_rng(2).normal(size=T1_GRID.shape).astype(np.float32), T1_GRID)),
    ],
)
def test_a_t1_of_something_else_is_doubted(wrong: str, t1: Volume) -> None:
    quality = registered(t1, pair()[1], settings=QUICK).quality
    assert quality.verdict is not Verdict.ACCEPT, wrong


@pytest.mark.slow
def test_far_motions_and_lost_fields_of_view_are_doubted() -> None:
    t1, t2 = pair()
    far = registered(elsewhere(t1, turned((0, 0, 24), (5, 0, 0))), t2, settings=QUICK).quality
    assert {one.code for one in far.checks if one.verdict != "accept"} >= {"rotation"}
    grid = replace(T1_GRID, shape=(80, 76, 9))
    half = registered(Volume(np.ascontiguousarray(t1.data[:, :, :9]), grid), t2, settings=QUICK).quality
    assert {one.code for one in half.checks if one.verdict != "accept"} >= {"field-of-view"}


@pytest.mark.slow
def test_known_motion_is_recovered_on_real_anatomy_and_wrong_pairs_are_doubted(
    tell_figure: Callable[[str], None],
) -> None:
    """One patient of the 34 whose whole study `make study` runs."""
    folders, number = patients(require(STS_NIFTI)), 25
    rows = [
        {"patient": folders[number].name, "kind": kind} | measured(moved, RegistrationSettings())
        for kind, moved in pairs_of(number, folders, seed=7)
        if kind != "cropped"
    ]
    for line in table(rows).splitlines()[2:]:
        tell_figure(f"recovery of known motion: {line}")
    assert [said for said, is_held in held(rows) if not is_held] == []
    assert all(row["error_mm"] < 1.5 for row in rows if row["kind"] in RIGHT)
