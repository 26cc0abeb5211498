"""Augmentation: images and what belongs to them are moved alike, and all comes from the generator."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.inputs.augmentation import Augmentation, augmented, bent, sampling_grid

STILL = Augmentation(mirror=0, turn=0, intensity=0, noise=0, blur=0, gamma=0, invert=0)
MOVED = Augmentation(mirror=0.5, turn=1.0, degrees=30, stretch=0.2, intensity=0, noise=0, blur=0, gamma=0)
ALL = Augmentation(mirror=0.5, turn=1, intensity=1, noise=1, blur=1, gamma=1, invert=0.5)
SHAPES = [(24, 18, 30), (20, 20, 20), (32, 26)]


def blob(shape: tuple[int, ...]) -> torch.Tensor:
    """An ellipsoid away from the middle, longer along one axis, so that no move leaves it as it was."""
    places = np.indices(shape).reshape(len(shape), -1).T
    away = (places - np.array(shape) * 0.42) / (np.array(shape) * (0.16, 0.22, 0.19)[: len(shape)])
    return torch.from_numpy((np.linalg.norm(away, axis=1) < 1).reshape(1, *shape).astype(np.float32))


def dice(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", [MOVED, ALL])
def test_a_bright_blob_stays_under_its_mask(shape: tuple[int, ...], rule: Augmentation) -> None:
    mask = blob(shape)
    outside_agreed = []
    for seed in range(20):
        image, moved = augmented(mask * 4 - 2, mask, np.random.default_rng(seed), rule)
        assert image.shape == moved.shape == mask.shape
        inside = moved > 0.5
        assert inside.any()
        middle = (image[inside].mean() + image[~inside].mean()) / 2
        bright = image > middle if image[inside].mean() > middle else image < middle
        assert dice(bright, inside) > 0.85, f"seed {seed}"
        outside_agreed.append(dice(bright, mask > 0.5))
    assert min(outside_agreed) < 0.7, "it did move"


def test_every_channel_and_map_moves_alike() -> None:
    mask = blob((20, 22, 24))
    images, others = augmented(
        torch.cat([mask, 3 * mask]), torch.cat([mask, mask * 0.5]), np.random.default_rng(3), MOVED
    )
    torch.testing.assert_close(images[1], 3 * images[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(others[1], 0.5 * others[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(images[0], others[0], atol=1e-5, rtol=1e-5)


def test_greys_leave_masks_and_maps_as_they_are() -> None:
    mask = blob((20, 22, 24))
    rule = Augmentation(mirror=0, turn=0, intensity=1, noise=1, blur=1, gamma=1, invert=1)
    image, others = augmented(mask * 2 - 1, torch.cat([mask, mask * 0.3]), np.random.default_rng(0), rule)
    torch.testing.assert_close(others, torch.cat([mask, mask * 0.3]), atol=0, rtol=0)
    assert (image - (mask * 2 - 1)).abs().mean() > 0.1
    assert image[mask > 0.5].mean() < image[mask < 0.5].mean(), "inverted"


def test_a_turn_keeps_size_up_to_the_stretch() -> None:
    mask = blob((30, 24, 36))
    sizes = []
    for seed in range(30):
        _, moved = augmented(mask, mask, np.random.default_rng(seed), Augmentation(mirror=0, turn=1, stretch=0.0))
        sizes.append(float(moved.sum() / mask.sum()))
    assert np.abs(np.array(sizes) - 1).max() < 0.05
    widest = [
        float(augmented(mask, mask, np.random.default_rng(seed), MOVED)[1].sum() / mask.sum()) for seed in range(30)
    ]
    assert 0.8**3 * 0.9 < min(widest) < 0.9
    assert 1.1 < max(widest) < 1.25**3 * 1.1


def test_a_quarter_turn_in_a_long_canvas_turns_in_voxels() -> None:
    """A rod along the short axis, turned by 90 degrees, lies along the long one with as many voxels."""
    rod = torch.zeros((1, 21, 41))
    rod[0, 5:16, 20] = 1.0
    rule = Augmentation(mirror=0, turn=1, stretch=0.0, degrees=90.0, intensity=0, noise=0, blur=0, gamma=0)

    class Fixed(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):  # type: ignore[no-untyped-def,override]
            return high if size is None else np.full(size, high)

    _, moved = augmented(rod, rod, Fixed(np.random.PCG64(0)), rule)
    expected = torch.zeros((1, 21, 41))
    expected[0, 10, 15:26] = 1.0
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=0)


def test_beyond_the_border_images_go_on_and_masks_end() -> None:
    rule = Augmentation(mirror=0, turn=1, degrees=30, intensity=0, noise=0, blur=0, gamma=0)
    ones = torch.ones((1, 24, 24))
    image, mask = augmented(ones, ones, np.random.default_rng(1), rule)
    torch.testing.assert_close(image, ones)
    assert mask.min() == 0.0


def test_nothing_is_done_where_nothing_is_asked() -> None:
    mask = blob((10, 12, 14))
    image, other = augmented(mask * 3, mask, np.random.default_rng(0), STILL)
    assert torch.equal(image, mask * 3)
    assert torch.equal(other, mask)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_generator_decides_all(shape: tuple[int, ...]) -> None:
    mask = blob(shape)
    first = augmented(mask.clone(), mask.clone(), np.random.default_rng(7), ALL)
    torch.manual_seed(99)
    again = augmented(mask.clone(), mask.clone(), np.random.default_rng(7), ALL)
    other = augmented(mask.clone(), mask.clone(), np.random.default_rng(8), ALL)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    before = mask.clone()
    augmented(mask, mask, np.random.default_rng(7), ALL)
    assert torch.equal(mask, before), "what is given stays as it was"


@pytest.mark.parametrize("shape", SHAPES)
def test_bent_masks_stay_near_and_differ(shape: tuple[int, ...]) -> None:
    masks = torch.stack([blob(shape), blob(shape).flip(1)])
    kept = masks.clone()
    dices = []
    for seed in range(30):
        found = bent(masks, np.random.default_rng(seed))
        assert torch.equal(found, bent(masks, np.random.default_rng(seed)))
        assert found.shape == masks.shape
        assert set(torch.unique(found).tolist()) <= {0.0, 1.0}
        assert (found.flatten(1).sum(1) > 0).all()
        dices += [dice(one > 0.5, other > 0.5) for one, other in zip(found, masks, strict=True)]
    assert torch.equal(masks, kept)
    assert 0.5 < np.mean(dices) < 0.95
    assert min(dices) < 0.7 < 0.95 < max(dices)


def test_a_mask_that_would_be_lost_stays() -> None:
    speck = torch.zeros((40, 1, 16, 16))
    speck[:, 0, 0, 0] = 1.0
    found = bent(speck, np.random.default_rng(0))
    assert (found.flatten(1).sum(1) > 0).all()
    assert (found[:, 0, 0, 0] == 1.0).sum() > 5, "moved out of the canvas, therefore as it was"


@pytest.mark.parametrize("shape", SHAPES)
def test_places_are_those_of_torch(shape: tuple[int, ...]) -> None:
    matrix = np.random.default_rng(0).normal(0, 1, (len(shape), len(shape)))
    theta = torch.from_numpy(np.pad(matrix, ((0, 0), (0, 1)))).float()[None]
    expected = functional.affine_grid(theta, [1, 1, *shape], align_corners=False)
    torch.testing.assert_close(sampling_grid(matrix, torch.Size(shape)), expected, atol=1e-5, rtol=0)
