"""Spacing, canvas and kernels follow from the training images' geometry."""

import numpy as np
import pytest

from training.networks.planning import canvas_shape, coarser_spacing, is_anisotropic, plan_unet, target_spacing


def test_anisotropic_is_three_times_as_coarse() -> None:
    assert is_anisotropic((1.0, 1.0, 3.0))
    assert is_anisotropic((3.3, 1.0, 1.1))
    assert not is_anisotropic((1.0, 1.0, 2.9))


def test_the_target_is_the_median_and_finer_across_thick_slices() -> None:
    assert target_spacing([(1, 1, 1), (2, 2, 2), (1.5, 1, 1)]) == (1.5, 1.0, 1.0)
    thick = [(1.0, 1.0, float(slices)) for slices in (3, 4, 5, 6, 7)]
    assert target_spacing(thick) == pytest.approx((1.0, 1.0, np.percentile([3, 4, 5, 6, 7], 10)))


@pytest.mark.parametrize("extent", [(20, 30, 40), (100, 90, 270), (400, 400, 400), (3, 3, 3), (500, 2, 2)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0)])
def test_a_canvas_fits_network_and_budget(extent: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    divisor, budget = (8, 8, 4), 50_000
    shape = canvas_shape(extent, spacing, budget=budget, divisor=divisor)
    assert all(size % step == 0 and size >= step for size, step in zip(shape, divisor, strict=True))
    fine = np.maximum(np.array(extent) / spacing, 1)
    if fine.prod() <= budget:
        assert (np.abs(np.maximum(fine, divisor) - shape) <= np.array(divisor) / 2).all(), "as fine as asked"
    assert np.prod(shape) <= max(budget * 1.5, 8 * fine.max() * 4 * 1.5)


def test_a_region_too_large_gets_evenly_coarser() -> None:
    shape = canvas_shape((300, 200, 100), (1, 1, 1), budget=48_000, divisor=(1, 1, 1))
    assert shape == (60, 40, 20)


def test_kernels_and_strides_spare_the_coarse_axis() -> None:
    plan = plan_unet(channels=4, widths=(4, 8, 16, 16), spacing=(1, 1, 5), shape=(64, 64, 12), supervised=1)
    assert plan.kernels == ((3, 3, 1), (3, 3, 1), (3, 3, 1), (3, 3, 3))
    assert plan.strides == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2))
    assert (plan.channels, plan.widths, plan.supervised, plan.divisor) == (4, (4, 8, 16, 16), 1, (8, 8, 2))


def test_a_short_axis_is_not_halved() -> None:
    plan = plan_unet(channels=1, widths=(4, 8, 16, 16), spacing=(1, 1, 1), shape=(64, 64, 9), supervised=0)
    assert [stride[2] for stride in plan.strides] == [1, 2, 1, 1]
    assert [stride[0] for stride in plan.strides] == [1, 2, 2, 2]


def test_a_coarser_spacing_spares_the_axis_that_is_coarse_already() -> None:
    fine, extent = (1.0, 1.0, 4.0), (160.0, 160.0, 200.0)
    assert coarser_spacing(fine, extent, budget=160 * 160 * 50) == fine
    i, j, k = coarser_spacing(fine, extent, budget=160 * 160 * 50 // 3)
    assert (i, j, k) == pytest.approx((1.03**19, 1.03**19, 4.0)), "1.03^19 is the first step beyond the root of three"
    i, j, k = coarser_spacing(fine, extent, budget=100_000)
    assert k > 4.0
    assert k / i == pytest.approx(2.0, rel=0.03), "from twice as coarse on, all become coarser together"
    assert np.prod(np.array(extent) / (i, j, k)) <= 100_000
