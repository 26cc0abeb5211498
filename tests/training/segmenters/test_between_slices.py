"""Masks between finished slices: round tumours come out round, and models count where they are right."""

import numpy as np
import pytest

from training.measures.metrics import dice
from training.segmenters.between_slices import area_at, interpolated_masks, signed_distance, sized


def ball(radius: float = 20.0, *, slices: int = 41, stretch: float = 1.0) -> dict[int, np.ndarray]:
    """Slices of a ball of 41 slices, and what lies around it."""
    rows, columns = np.indices((64, 64))
    middle = slices // 2
    return {
        index: (rows - 32) ** 2 + ((columns - 32) / stretch) ** 2 <= radius**2 - (index - middle) ** 2
        for index in range(slices)
    }


def volume(masks: dict[int, np.ndarray]) -> np.ndarray:
    return np.stack([masks[index] for index in sorted(masks)])


def test_three_slices_of_a_ball_give_the_ball() -> None:
    truth = ball()
    known = {index: truth[index] for index in (1, 20, 39)}
    drawn = dict(interpolated_masks(known, range(1, 40), by_area=True))
    wanted = {index: truth[index] for index in range(1, 40)}
    assert dice(volume(drawn), volume(wanted)) > 0.93
    cone = {index: _proportion(known, index) > 0 for index in range(1, 40)}
    plain = dict(interpolated_masks(known, range(1, 40)))
    np.testing.assert_array_equal(volume(plain), volume(cone))
    assert dice(volume(drawn), volume(wanted)) > dice(volume(cone), volume(wanted)) + 0.05


def test_known_slices_come_back_as_they_are_and_order_is_kept() -> None:
    truth = ball()
    known = {10: truth[10], 30: truth[30]}
    found = list(interpolated_masks(known, [30, 12, 10]))
    assert [index for index, _ in found] == [30, 12, 10]
    np.testing.assert_array_equal(found[0][1], truth[30])


def test_nothing_known_and_nothing_drawn_gives_nothing() -> None:
    assert dict(interpolated_masks({}, [1, 2])) == {}


def test_beyond_the_known_slices_a_copy_stands() -> None:
    truth = ball()
    np.testing.assert_array_equal(dict(interpolated_masks({20: truth[20]}, [25]))[25], truth[20])


def test_a_model_that_is_wrong_alike_everywhere_is_put_right_everywhere() -> None:
    truth, model = ball(20.0), ball(16.0)
    known = {index: truth[index] for index in (8, 20, 32)}
    wanted = range(9, 32)
    corrected = volume(dict(interpolated_masks(known, wanted, drawn=model)))
    right = volume({index: truth[index] for index in wanted})
    own = volume({index: model[index] for index in wanted})
    assert dice(corrected, right) > 0.95 > dice(own, right)


def test_with_nothing_finished_the_model_is_shown() -> None:
    model = ball()
    np.testing.assert_array_equal(dict(interpolated_masks({}, [20], drawn=model))[20], model[20])


def test_signed_distance_is_positive_inside_and_far_outside_an_empty_mask() -> None:
    mask = np.zeros((9, 9), bool)
    assert (signed_distance(mask) < -9).all()
    mask[2:7, 2:7] = True
    found = signed_distance(mask)
    assert ((found > 0) == mask).all()
    assert found[4, 4] == pytest.approx(3.0)


def test_sizes_are_kept_and_lie_between_their_neighbours() -> None:
    truth = ball()
    known = {index: truth[index] for index in (5, 20, 35)}
    assert area_at(known, 20) == np.count_nonzero(truth[20])
    assert np.count_nonzero(truth[5]) < area_at(known, 12) < np.count_nonzero(truth[20])
    distance = signed_distance(truth[20])
    assert np.count_nonzero(sized(distance, 100)) >= 100
    assert not sized(distance, 0.2).any()


def _proportion(known: dict[int, np.ndarray], index: int) -> np.ndarray:
    if index in known:
        return signed_distance(known[index])
    below, above = max(at for at in known if at < index), min(at for at in known if at > index)
    share = (index - below) / (above - below)
    return (1 - share) * signed_distance(known[below]) + share * signed_distance(known[above])


def test_a_distance_is_the_same_to_the_last_bit_wherever_the_mask_lies_in_memory() -> None:
    mask = np.hypot(*(np.indices((56, 64)) - np.array([27.3, 30.6])[:, None, None])) < 19.0
    found = []
    for offset in range(64):
        room = np.zeros(mask.size + 64, np.bool_)
        moved = room[offset : offset + mask.size].reshape(mask.shape)
        moved[:] = mask
        found.append(signed_distance(moved).tobytes())
    assert len(set(found)) == 1
    inside = np.argwhere(mask)
    nearest = min(((30 - row) ** 2 + (30 - column) ** 2) for row, column in np.argwhere(~mask))
    assert [30, 30] in inside.tolist()
    assert signed_distance(mask)[30, 30] == np.float32(np.sqrt(np.float32(nearest)))
