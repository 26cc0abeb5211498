"""Examples in memory, and the regions shown of them: the tumour is always whole."""

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from tests.training.support.ball_examples import ball_example
from tests.training.support.synthetic import lps_grid, reordered
from training.fitting.examples import Example, PreparedExamples, sampled_region
from training.inputs.canvas import Region
from training.inputs.intensity_rules import rule_of

RULES = {"t1": rule_of("t1"), "pet": rule_of("pet")}


def turned(example: Example) -> Example:
    """The same in another axis order."""
    how = {"order": (2, 0, 1), "flips": (True, False, True)}
    volumes = {name: reordered(volume, **how) for name, volume in example.volumes.items()}  # type: ignore[arg-type]
    mask = reordered(Volume(example.mask.data, example.mask.grid), **how)  # type: ignore[arg-type]
    return Example(example.case, example.patient, volumes, Mask(mask.data.astype(np.uint8), mask.grid))


def test_the_axis_order_changes_nothing() -> None:
    example = ball_example(3, tuple(RULES))
    other = turned(example)
    assert other.mask.grid.shape != example.mask.grid.shape
    np.testing.assert_array_equal(other.inside, example.inside)
    assert other.spacing == pytest.approx(example.spacing)
    first, second = PreparedExamples([example], RULES), PreparedExamples([other], RULES)
    region = Region((3, 4, 2), (20, 22, 13))
    np.testing.assert_array_equal(first.images(0, region, (16, 16, 8)), second.images(0, region, (16, 16, 8)))
    np.testing.assert_array_equal(first.target(0, region, (16, 16, 8)), second.target(0, region, (16, 16, 8)))


def test_the_bounds_are_the_tumours() -> None:
    example = ball_example(1)
    where = np.argwhere(example.inside)
    np.testing.assert_array_equal(example.bounds[0], where.min(axis=0))
    np.testing.assert_array_equal(example.bounds[1], where.max(axis=0))


def test_image_and_target_of_a_region_show_the_same_place() -> None:
    example = ball_example(1)
    prepared = PreparedExamples([example], {"t1": rule_of("t1")})
    lower, upper = example.bounds
    region = Region.around(lower - 3, upper + 4, shape=example.inside.shape)
    image, target = (make(0, region, (24, 20, 16))[0] for make in (prepared.images, prepared.target))
    assert image[target > 0.9].min() > image[target < 0.1].max()


def test_names_decide_the_order() -> None:
    examples = [ball_example(number) for number in (3, 1, 2)]
    assert [each.case for each in PreparedExamples(examples, {}).examples] == ["case-1", "case-2", "case-3"]


def test_every_region_holds_the_whole_tumour_and_some_are_close() -> None:
    example, random = ball_example(0), np.random.default_rng(0)
    sizes = {0.0: [], 1.0: []}  # type: dict[float, list[int]]
    for whole, found in sizes.items():
        for _ in range(100):
            region = sampled_region(example, random, whole=whole)
            assert example.inside[region.slices].sum() == example.inside.sum()
            found.append(int(np.prod(region.size)))
    assert max(sizes[1.0]) == example.inside.size, "at times all is shown"
    assert min(sizes[1.0]) < 0.9 * example.inside.size
    box = np.prod(example.bounds[1] - example.bounds[0] + 1)
    assert 1.5 * box < min(sizes[0.0]) < 5 * box
    assert 6 * box < max(sizes[0.0]) < 2.4**3 * box


def test_no_example_and_one_twice_are_refused() -> None:
    for examples in ([], [ball_example(0), ball_example(0)]):
        with pytest.raises(RejectedInput, match="fit-no-cases"):
            PreparedExamples(examples, RULES)


def test_a_missing_image_is_refused() -> None:
    with pytest.raises(RejectedInput, match="sequence-missing"):
        PreparedExamples([ball_example(0, ("t1", "pet")), ball_example(1, ("t1",))], RULES)


def test_an_empty_mask_and_another_grid_are_refused() -> None:
    example = ball_example(0)
    with pytest.raises(RejectedInput, match="example-empty"):
        Example("case", "patient", example.volumes, Mask(np.zeros_like(example.mask.data), example.mask.grid))
    other = Mask(example.mask.data, lps_grid(example.mask.grid.shape, (1.5, 1.5, 3.1)))
    with pytest.raises(GeometryError, match="grid-mismatch"):
        Example("case", "patient", example.volumes, other)
