"""Slice propagation: known masks stay, motion between slices is followed, and a model tells where the tumour ends."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import load, read_cohort
from tests.data import STS_NIFTI, require
from tests.training.support.synthetic import lps_grid
from training.measures.metrics import dice
from training.segmenters import propagation
from training.segmenters.propagation import propagate
from training.segmenters.segmenter import SegmentationRequest

SHAPE = (64, 60, 12)
GRID = lps_grid(SHAPE, (1.0, 1.0, 3.3))
LAST = 8
"""The disc is seen up to here."""


def truth(index: int) -> np.ndarray:
    """A disc that wanders to the right and shrinks."""
    return disc(20 + 2 * index, 12 - index / 2) & (index <= LAST)


def disc(column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices((SHAPE[1], SHAPE[0]))
    return np.hypot(rows - 30, columns - column) < radius


def volume(pictures: Callable[[int], np.ndarray]) -> Volume:
    """Numbers on the grid from pictures."""
    data = np.zeros(SHAPE, np.float32)
    for index in range(SHAPE[2]):
        PicturePlane.of(GRID).from_picture(pictures(index).astype(np.float32), into=data, index=index)
    return Volume(data, GRID)


def request() -> SegmentationRequest:
    """The disc in noise; where it ends, its surroundings go on as if nothing had been."""
    noise = np.random.default_rng(0).normal(60, 4, (SHAPE[2], SHAPE[1], SHAPE[0]))
    return SegmentationRequest({"t1": volume(lambda index: noise[index] + 60 * truth(index))}, "t1")


def test_nearest_first_and_known_slices_are_left_out() -> None:
    known = {3: truth(3), 9: truth(9)}
    found = [index for index, _ in propagate(request(), known, [*range(12), 4])]
    assert found == [2, 4, 8, 10, 1, 5, 7, 11, 0, 6]


def test_a_moving_disc_is_followed_better_than_copied() -> None:
    found = dict(propagate(request(), {0: truth(0)}, range(7)))
    for index in (2, 4, 6):
        assert dice(found[index], truth(index)) > 0.93
        assert dice(found[index], truth(index)) > dice(truth(0), truth(index)) + 0.1


def test_known_masks_are_not_changed_and_answers_repeat() -> None:
    known = {0: truth(0), 6: truth(6)}
    kept = {index: mask.copy() for index, mask in known.items()}
    first, second = (dict(propagate(request(), known, range(12))) for _ in range(2))
    assert all((known[index] == kept[index]).all() for index in kept)
    assert all((first[index] == second[index]).all() for index in first)


def test_a_slice_does_not_depend_on_what_else_is_wanted() -> None:
    known = {1: truth(1), 8: truth(8)}
    every = dict(propagate(request(), known, range(12)))
    for index in (3, 5, 11):
        [(_, alone)] = propagate(request(), known, [index])
        assert (alone == every[index]).all()


def test_only_what_the_next_answer_needs_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    own = propagation.flow
    monkeypatch.setattr(propagation, "flow", lambda *pictures: calls.append(1) or own(*pictures))
    answers = propagate(request(), {0: truth(0)}, range(12))
    assert not calls
    for count in (1, 2, 3):
        assert next(answers)[0] == count
        assert len(calls) == count


def test_between_two_slices_both_count() -> None:
    blank = SegmentationRequest({"t1": volume(lambda _: np.full((SHAPE[1], SHAPE[0]), 7.0))}, "t1")
    small, large = disc(30, 6), disc(30, 12)
    near_small, middle, near_large = (
        mask.sum() for _, mask in sorted(propagate(blank, {8: small, 4: large}, [7, 6, 5]), reverse=True)
    )
    assert small.sum() < near_small < middle < near_large < large.sum()


def test_a_wide_gap_gets_its_size_from_all_finished_slices() -> None:
    known = {0: truth(0), 8: truth(8)}
    found = dict(propagate(request(), known, range(9)))
    for index in range(1, 8):
        assert dice(found[index], truth(index)) > 0.9


def test_between_two_slices_the_model_does_not_count() -> None:
    known = {0: truth(0), LAST: truth(LAST)}
    broken = replace(request(), previous=volume(lambda index: truth(index) & (index in known)))
    alone, beside = (dict(propagate(asked, known, range(12))) for asked in (request(), broken))
    assert all((alone[index] == beside[index]).all() for index in range(1, LAST))
    assert alone[LAST + 1].any()
    assert not beside[LAST + 1].any()


def test_a_speck_never_becomes_a_picture() -> None:
    speck = np.zeros_like(truth(0))
    speck[30, 30] = True
    for known in ({0: speck, 11: speck}, {0: speck, 3: speck}, {5: speck}):
        assert all(mask.sum() <= 20 for _, mask in propagate(request(), known, range(12)))


def test_slices_known_to_be_empty_end_the_tumour() -> None:
    empty = np.zeros_like(truth(0))
    found = dict(propagate(request(), {6: truth(6), 9: empty}, range(12)))
    assert found[7].sum() > found[8].sum()
    assert found[7].any()
    assert not found[10].any()
    assert not found[11].any()
    assert not any(mask.any() for _, mask in propagate(request(), {3: empty}, range(12)))


def test_a_model_that_agrees_says_where_the_tumour_ends() -> None:
    asked = request()
    alone = dict(propagate(asked, {6: truth(6)}, range(12)))
    helped = dict(propagate(replace(asked, previous=volume(truth)), {6: truth(6)}, range(12)))
    assert alone[LAST + 1].any()
    assert not any(helped[index].any() for index in range(LAST + 1, 12))
    for index in range(LAST + 1):
        assert index == 6 or dice(helped[index], truth(index)) > 0.95


def test_a_model_that_drew_elsewhere_changes_nothing() -> None:
    asked = request()
    elsewhere = volume(lambda index: np.roll(truth(index), 26, axis=0) & ~truth(index))
    assert elsewhere.data.any()
    for previous in (elsewhere, volume(lambda index: np.zeros_like(truth(index)))):
        alone = dict(propagate(asked, {4: truth(4)}, range(7)))
        beside = dict(propagate(replace(asked, previous=previous), {4: truth(4)}, range(7)))
        assert all((alone[index] == beside[index]).all() for index in alone)


def test_nothing_known_nothing_drawn() -> None:
    assert list(propagate(request(), {}, range(12))) == []


def test_refusals() -> None:
    with pytest.raises(RejectedInput, match="slice-index"):
        list(propagate(request(), {0: truth(0)}, [12]))
    with pytest.raises(RejectedInput, match="slice-index"):
        list(propagate(request(), {-1: truth(0)}, [1]))
    with pytest.raises(RejectedInput, match="carried-shape"):
        list(propagate(request(), {0: truth(0).T}, [1]))
    with pytest.raises(RejectedInput, match="sequence-missing"):
        list(propagate(replace(request(), target="t2"), {0: truth(0)}, [1]))
    other = Volume(np.zeros(SHAPE, np.float32), lps_grid(SHAPE, (1.0, 1.0, 3.0)))
    with pytest.raises(GeometryError):
        list(propagate(replace(request(), previous=other), {0: truth(0)}, [1]))


@pytest.mark.slow
def test_real_tumours_are_followed_better_than_copied(tell_figure: Callable[[str], None]) -> None:
    folder = require(STS_NIFTI)
    cases = read_cohort(folder, {"t1": "*/MR_T1_image.nii.gz"}, "*/MR_T1_mask.nii.gz").cases[::6]
    propagated: dict[int, list[float]] = {distance: [] for distance in (1, 3, 5)}
    copied: dict[int, list[float]] = {distance: [] for distance in propagated}
    for case in map(load, cases):
        plane = PicturePlane.of(case.mask.grid)
        stack = plane.stack(case.mask.foreground)
        seen = np.flatnonzero(stack.any(axis=(1, 2)))
        middle = int(seen[len(seen) // 2])
        asked = SegmentationRequest(case.volumes, "t1", slice_axis=plane.slice_axis)
        wanted = [middle + side * distance for distance in propagated for side in (-1, 1)]
        for index, mask in propagate(asked, {middle: stack[middle]}, wanted):
            propagated[abs(index - middle)].append(dice(mask, stack[index]))
            copied[abs(index - middle)].append(dice(stack[middle], stack[index]))
    told = ", ".join(
        f"{distance}: {np.mean(propagated[distance]):.3f} ({np.mean(copied[distance]):.3f})" for distance in propagated
    )
    tell_figure(
        f"Dice of masks propagated from the middle slice (copied), {len(cases)} sarcomas, by slices away: {told}"
    )
    assert np.mean(propagated[1]) > np.mean(copied[1])
    assert np.mean(propagated[3]) > np.mean(copied[3]) + 0.02
    assert np.mean(propagated[5]) > np.mean(copied[5]) + 0.04
