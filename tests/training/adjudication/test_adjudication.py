"""Proposals, regions of disagreement and merging, against values by hand, peers and what must hold for any masks."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from datasets.errors import GeometryError, RejectedInput
from tests.training.support.synthetic import lps_grid
from training.adjudication.disagreement import disagreement
from training.adjudication.merging import Rest, merge
from training.adjudication.proposals import majority, staple

SHAPE = (12, 10, 6)
GRID = lps_grid(SHAPE, (1.0, 0.5, 4.0))
MASKS = arrays(np.bool_, SHAPE)


def box(first: tuple[int, int, int], last: tuple[int, int, int]) -> np.ndarray:
    inside = np.zeros(SHAPE, dtype=bool)
    inside[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return inside


ONE = box((2, 2, 1), (8, 6, 4))
MASKS_BY_HAND = {
    "a": ONE,
    "b": ONE | box((8, 2, 1), (10, 6, 2)),  # 8 voxels more in slice 1
    "c": ONE & ~box((2, 2, 3), (4, 6, 4)),  # 8 fewer in slice 3
}


def test_majority_by_hand() -> None:
    assert np.array_equal(majority(MASKS_BY_HAND), ONE)
    two = {name: MASKS_BY_HAND[name] for name in "ab"}
    assert np.array_equal(majority(two), ONE), "half is not enough"


def test_majority_is_simpleitks_vote() -> None:
    import SimpleITK as sitk  # noqa: N813

    random = np.random.default_rng(4)
    masks = {str(number): random.random(SHAPE) < 0.5 for number in range(5)}
    vote = sitk.LabelVoting([sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks.values()], 0)
    assert np.array_equal(majority(masks), sitk.GetArrayFromImage(vote) == 1)


def by_expectation(masks: list[np.ndarray], rounds: int) -> np.ndarray:
    """STAPLE as the paper's equations say, in a few lines of its own."""
    drawn = np.stack([mask.ravel() for mask in masks])
    prior = drawn.mean()
    p, q = np.full((len(drawn), 1), 0.99999), np.full((len(drawn), 1), 0.99999)
    for _ in range(rounds):
        inside = prior * np.where(drawn, p, 1 - p).prod(axis=0)
        outside = (1 - prior) * np.where(drawn, 1 - q, q).prod(axis=0)
        weight = inside / (inside + outside)
        p = (drawn * weight).sum(axis=1, keepdims=True) / weight.sum()
        q = (~drawn * (1 - weight)).sum(axis=1, keepdims=True) / (1 - weight).sum()
    return weight.reshape(masks[0].shape)


def test_staple_follows_the_equations() -> None:
    random = np.random.default_rng(8)
    masks = {str(number): ONE ^ (random.random(SHAPE) < rate) for number, rate in enumerate((0.02, 0.05, 0.3))}
    found = staple(masks)
    expected = by_expectation(list(masks.values()), 300)
    assert np.array_equal(found.inside, expected > 0.5)
    assert np.abs(found.probability - expected).max() < 1e-3
    assert found.sensitivity["0"] > found.sensitivity["2"]
    assert found.specificity["0"] > found.specificity["2"]


def test_staple_recovers_what_noisy_readers_drew() -> None:
    """Two good readers among three who guess nearly: the majority is wrong in more voxels."""
    random = np.random.default_rng(9)
    truth = np.indices((20, 20, 20))[0] < 10
    rates = (0.02, 0.05, 0.4, 0.4, 0.4)
    masks = {str(number): truth ^ (random.random(truth.shape) < rate) for number, rate in enumerate(rates)}
    assert 2 * (staple(masks).inside != truth).sum() < (majority(masks) != truth).sum()


def test_staple_does_not_depend_on_the_field_of_view() -> None:
    masks = {name: np.pad(mask, 20) for name, mask in MASKS_BY_HAND.items()}
    wider = {name: np.pad(mask, 60) for name, mask in MASKS_BY_HAND.items()}
    assert np.array_equal(np.pad(staple(masks).probability, 40), staple(wider).probability)


def test_staple_of_equal_and_of_empty_masks() -> None:
    empty = np.zeros(SHAPE, dtype=bool)
    assert np.array_equal(staple({"a": ONE, "b": ONE}).inside, ONE)
    assert not staple({"a": empty, "b": empty}).inside.any()
    assert staple({"a": ONE, "b": ONE}).sensitivity == {"a": 1.0, "b": 1.0}


def test_regions_by_hand() -> None:
    found = disagreement(MASKS_BY_HAND, GRID, 2)
    first, second = found.regions
    assert {first.inside, second.inside} == {("b",), ("a", "b")}
    more = first if first.inside == ("b",) else second
    fewer = second if more is first else first
    assert (more.part.voxels, more.part.volume_mm3, more.part.first_slice, more.part.last_slice) == (8, 16.0, 1, 1)
    assert (fewer.outside, fewer.part.first_slice, fewer.part.largest_slice) == (("c",), 3, 3)
    assert found.by_slice_mm2.tolist() == [0, 4.0, 0, 4.0, 0, 0]
    assert found.largest_slice == 1
    assert found.numbers[more.part.voxel] == more.number


def test_nobody_differs() -> None:
    found = disagreement({"a": ONE, "b": ONE}, GRID, 2)
    assert (found.regions, found.largest_slice) == ((), None)
    assert np.array_equal(merge({"a": ONE, "b": ONE}, found, {}), ONE)


@settings(max_examples=40, deadline=None)
@given(a=MASKS, b=MASKS, c=MASKS)
def test_regions_hold_what_differs_and_nothing_else(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    masks = {"a": a, "b": b, "c": c}
    found = disagreement(masks, GRID, 2)
    assert np.array_equal(found.numbers > 0, (a | b | c) & ~(a & b & c))
    sizes = [region.part.voxels for region in found.regions]
    assert sizes == sorted(sizes, reverse=True)
    for region in found.regions:
        there = found.numbers == region.number
        assert there.sum() == region.part.voxels
        assert all(masks[reader][there].all() for reader in region.inside)
        assert not any(masks[reader][there].any() for reader in region.outside)
        slices = np.flatnonzero(there.any(axis=(0, 1)))
        assert (region.part.first_slice, region.part.last_slice) == (slices[0], slices[-1])


@settings(max_examples=40, deadline=None)
@given(a=MASKS, b=MASKS, c=MASKS)
def test_to_follow_one_reader_everywhere_gives_that_readers_mask(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    masks = {"a": a, "b": b, "c": c}
    found = disagreement(masks, GRID, 2)
    for reader, mask in masks.items():
        assert np.array_equal(merge(masks, found, {region.number: reader for region in found.regions}), mask)
    assert np.array_equal(merge(masks, found, {}, rest=Rest.MAJORITY), majority(masks))
    assert np.array_equal(merge(masks, found, {}, rest=Rest.INSIDE), a | b | c)
    assert np.array_equal(merge(masks, found, {}, rest=Rest.OUTSIDE), a & b & c)


def test_a_merge_by_region() -> None:
    found = disagreement(MASKS_BY_HAND, GRID, 2)
    by_readers = {region.inside: region.number for region in found.regions}
    both = merge(MASKS_BY_HAND, found, {by_readers[("b",)]: "b", by_readers[("a", "b")]: "outside"})
    assert np.array_equal(both, MASKS_BY_HAND["c"] | MASKS_BY_HAND["b"] & ~ONE)
    part = merge(MASKS_BY_HAND, found, {by_readers[("b",)]: "inside"}, rest=Rest.MAJORITY)
    assert np.array_equal(part, MASKS_BY_HAND["b"])


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        ({}, "regions-open"),
        ({1: "a"}, "regions-open"),
        ({7: "a"}, "region-unknown"),
        ({1: "z", 2: "a"}, "reader-unknown"),
    ],
)
def test_choices_that_do_not_fit(choices: dict[int, str], code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        merge(MASKS_BY_HAND, disagreement(MASKS_BY_HAND, GRID, 2), choices)
    assert refusal.value.code == code


@pytest.mark.parametrize("made", [majority, staple, lambda masks: disagreement(masks, GRID, 2)])
def test_one_mask_and_other_shapes_are_refused(made: Callable) -> None:
    with pytest.raises(RejectedInput):
        made({"a": ONE})
    with pytest.raises(GeometryError):
        made({"a": ONE, "b": ONE[1:]})
