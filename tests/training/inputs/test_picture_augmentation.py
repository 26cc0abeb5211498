"""MSTT-199's augmentations: what moves takes the mask with it, what changes greys does not."""

import numpy as np
import pytest
import torch

from training.inputs.picture_augmentation import line_kernel, motion_blurred, varied_as_published


def marked() -> tuple[torch.Tensor, torch.Tensor]:
    """A picture whose bright square is its mask."""
    picture = torch.full((6, 48, 48), 0.2)
    picture[:, 10:30, 20:36] = 0.8
    return picture, (picture[:1] > 0.5).float()


def test_masks_move_with_their_pictures() -> None:
    shares = []
    for seed in range(30):
        image, mask = varied_as_published(*marked(), np.random.default_rng(seed))
        assert (image.shape, mask.shape) == ((6, 48, 48), (1, 48, 48))
        assert 0.0 <= image.min() <= image.max() <= 1.0
        assert {*mask.unique().tolist()} <= {0.0, 1.0}
        bright = image[0] > (image[0].max() + image[0].min()) / 2
        shares.append(float((bright & (mask[0] > 0)).sum() / (bright | (mask[0] > 0)).sum()))
    assert min(shares) > 0.75
    assert np.mean(shares) > 0.9


def test_all_channels_change_alike_and_the_seed_decides() -> None:
    first, other = (varied_as_published(*marked(), np.random.default_rng(7))[0] for _ in range(2))
    assert torch.equal(first, other)
    for channel in first[1:]:
        torch.testing.assert_close(channel, first[0])
    assert not torch.equal(first, varied_as_published(*marked(), np.random.default_rng(8))[0])


def test_each_happens_about_half_of_the_time() -> None:
    """Three in ten pictures keep their place: no quarter turn (5/8), no flips (1/4 of both), or what undoes them."""
    still = moved = 0
    for seed in range(200):
        _, mask = varied_as_published(*marked(), np.random.default_rng(seed))
        is_still = torch.equal(mask, marked()[1])
        still, moved = still + is_still, moved + (not is_still)
    # half have no distortion; of these 5/8 * 1/4 + 1/8 * 1/4 (a half turn and both flips) stay
    assert still / 200 == pytest.approx(0.5 * (5 / 8 / 4 + 1 / 8 / 4), abs=0.06)


def test_a_line_by_hand() -> None:
    by_hand = {0.0: [[0, 0, 0], [1, 1, 1], [0, 0, 0]], 0.5: [[0, 1, 0]] * 3, 0.25: [[0, 0, 1], [0, 1, 0], [1, 0, 0]]}
    for share, line in by_hand.items():
        torch.testing.assert_close(line_kernel(3, share * np.pi), torch.tensor(line, dtype=torch.float32) / 3)


def test_motion_keeps_a_constant_picture() -> None:
    constant = torch.full((6, 20, 20), 0.3)
    torch.testing.assert_close(motion_blurred(constant, np.random.default_rng(0)), constant)
