"""Measures of agreement against known values of simple images."""

import numpy as np
import pytest

from curation.registration.similarity import edge_agreement, mutual_information, rotation_degrees, scales

NOISE = np.random.default_rng(8)


def test_an_image_tells_all_about_itself_and_nothing_of_noise() -> None:
    levels = NOISE.integers(0, 4, (40, 40, 10)).astype(float)
    assert mutual_information(levels, 10.0 - 3.0 * levels) == pytest.approx(np.log(4), rel=0.01)
    assert mutual_information(levels, NOISE.integers(0, 4, levels.shape).astype(float)) < 0.002


def test_unknown_voxels_do_not_count() -> None:
    levels = NOISE.integers(0, 2, (20, 20, 20)).astype(float)
    other = levels.copy()
    other[:10] = np.nan
    levels[:10] = 0.0
    assert mutual_information(levels, other) == pytest.approx(np.log(2), rel=0.01)
    assert mutual_information(levels, np.full(levels.shape, np.nan)) == 0.0
    assert edge_agreement(levels, np.full(levels.shape, np.nan), spacing=(1, 1, 1)) == 0.0


def test_edges_agree_whatever_the_contrast_and_less_when_moved() -> None:
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, 32)] * 3, indexing="ij")
    ball = 1.0 / (1.0 + np.exp(30 * (x**2 + y**2 + z**2 - 0.4)))
    ball += NOISE.normal(scale=0.001, size=ball.shape)
    same = edge_agreement(ball, 5.0 - 2.0 * ball, spacing=(1, 1, 2))
    moved = edge_agreement(ball, np.roll(5.0 - 2.0 * ball, 4, axis=0), spacing=(1, 1, 2))
    noise = edge_agreement(ball, NOISE.normal(size=ball.shape), spacing=(1, 1, 2))
    assert same > moved + 0.1 > noise + 0.1
    assert edge_agreement(np.zeros(ball.shape), np.zeros(ball.shape), spacing=(1, 1, 2)) == 0.0


@pytest.mark.parametrize("degrees", [0.0, 0.1, 37.0, 180.0])
def test_rotation_and_stretch_are_told_apart(degrees: float) -> None:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    transform = np.eye(4)
    transform[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([1.04, 0.98, 1.0])
    assert scales(transform) == pytest.approx((1.04, 1.0, 0.98))
    assert rotation_degrees(transform) == pytest.approx(degrees, abs=1e-4)
