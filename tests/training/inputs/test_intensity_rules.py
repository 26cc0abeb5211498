"""What networks see of an image: the rule's numbers, whatever else lies in the image."""

import numpy as np
import pytest

from training.inputs import intensity_rules
from training.inputs.canvas import Region, resized
from training.inputs.intensity_rules import LIMIT, Greys, IntensityRule, on_canvas, rule_of

RULES = tuple(IntensityRule)


def test_mr_counts_what_is_not_zero() -> None:
    image = np.random.default_rng(0).normal(300, 40, (20, 20, 20))
    image[:10] = 0.0
    greys = Greys.of(image, IntensityRule.FOREGROUND_ZSCORE)
    seen = greys.apply(image)[10:]
    assert (seen.mean(), seen.std()) == (pytest.approx(0.0, abs=1e-4), pytest.approx(1.0, abs=1e-3))
    assert greys.middle == pytest.approx(image[10:].mean(), rel=1e-5)


def test_pet_counts_all() -> None:
    image = np.where(np.arange(1000) < 900, 0.0, 5.0).reshape(10, 10, 10)
    greys = Greys.of(image, IntensityRule.ZSCORE)
    assert (greys.middle, greys.unit) == (pytest.approx(0.5), pytest.approx(1.5))


def test_ct_is_a_window() -> None:
    greys = Greys.of(np.zeros(3), IntensityRule.CT_WINDOW)
    np.testing.assert_allclose(greys.apply(np.array([-3000, -200, -100, 0, 200, 3000])), [-1, -1, -0.5, 0, 1, 1])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_rules_nothing(rule: IntensityRule, value: float) -> None:
    image = np.random.default_rng(0).normal(100, 20, (8, 8, 8))
    clean = Greys.of(image[1:], rule)
    image[0] = value
    greys = Greys.of(image, rule)
    assert (greys.middle, greys.unit) == (pytest.approx(clean.middle), pytest.approx(clean.unit))
    seen = greys.apply(image)
    assert np.isfinite(seen).all()
    assert np.abs(seen).max() <= greys.limit
    np.testing.assert_allclose(seen[1:], clean.apply(image[1:]), atol=1e-6)
    if np.isnan(value):
        assert (seen[0] == 0.0).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [0.0, 7.0, -0.1, 1e6, 65535.0, np.nan])
def test_an_image_without_contrast_is_flat(rule: IntensityRule, value: float) -> None:
    image = np.full((6, 6, 6), value, np.float32)
    seen = Greys.of(image, rule).apply(image)
    assert np.isfinite(seen).all()
    assert np.ptp(seen) == 0.0
    if rule is not IntensityRule.CT_WINDOW:
        assert np.abs(seen).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float64])
def test_the_numbers_kind_changes_nothing(dtype: type[np.generic]) -> None:
    image = np.random.default_rng(0).integers(0, 250, (10, 10, 10))
    expected = Greys.of(image.astype(np.float32), IntensityRule.FOREGROUND_ZSCORE)
    assert Greys.of(image.astype(dtype), IntensityRule.FOREGROUND_ZSCORE) == expected


def test_a_bright_artefact_is_cut() -> None:
    image = np.random.default_rng(0).normal(100, 10, (12, 12, 12))
    image[0, 0, 0] = 1e7
    assert Greys.of(image, IntensityRule.ZSCORE).apply(image).max() == LIMIT


def test_part_of_a_huge_image_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).normal(300, 40, (60, 70, 50)).astype(np.float32)
    image[:20] = 0.0
    all_of_it = Greys.of(image, IntensityRule.FOREGROUND_ZSCORE)
    monkeypatch.setattr(intensity_rules, "LOOKED_AT", 8000)
    part = Greys.of(image, IntensityRule.FOREGROUND_ZSCORE)
    assert part != all_of_it, "a part was looked at"
    assert part.middle == pytest.approx(all_of_it.middle, rel=0.02)
    assert part.unit == pytest.approx(all_of_it.unit, rel=0.05)


def test_a_canvas_has_each_image_by_its_own_rule() -> None:
    random = np.random.default_rng(0)
    ct, pet = random.normal(0, 300, (20, 18, 16)), random.gamma(1.0, 2.0, (20, 18, 16))
    greys = [Greys.of(image, rule_of(name)) for name, image in (("ct", ct), ("pet", pet))]
    region, shape = Region((2, 3, 4), (15, 12, 9)), (8, 8, 16)
    seen = on_canvas([ct, pet], greys, region, shape=shape)
    assert (seen.shape, seen.dtype) == ((2, *shape), np.float32)
    np.testing.assert_array_equal(seen[0], greys[0].apply(resized(ct[2:17, 3:15, 4:13], shape)))
    np.testing.assert_array_equal(seen[1], greys[1].apply(resized(pet[2:17, 3:15, 4:13], shape)))
