"""Geodesic maps beside GeodisTK's own output and beside the true shortest way."""

import heapq
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from training.prompts.geodesic import UNREACHED, exponentialized_geodesic, geodesic_distance

GOLDEN = Path(__file__).parent / "golden" / "geodesic_distance.npz"
SCANS = ((1, 1.0), (2, 1.0), (4, 1.0), (2, 0.5))
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN, allow_pickle=False) as kept:
        return dict(kept)


@pytest.mark.parametrize("name", ["smooth", "blocky", "both"])
@pytest.mark.parametrize(("iterations", "lam"), SCANS)
def test_equals_geodistk(
    golden: dict[str, NDArray[Any]], name: str, iterations: int, lam: float, tell_figure: Callable[[str], None]
) -> None:
    expected = golden[f"{name}/distance/{iterations}/{lam}"]
    image, seeds, spacing = (golden[f"{name}/{part}"] for part in ("image", "seeds", "spacing"))
    found = geodesic_distance(image, seeds, spacing=spacing, lam=lam, iterations=iterations)
    assert found.dtype == np.float32
    difference = np.abs(np.exp(-found) - np.exp(-expected)).max()
    tell_figure(f"geodesic map {name}, {iterations} iterations, lambda {lam}: {difference:.1e} from GeodisTK")
    assert difference <= TOLERANCE
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["smooth", "both"])
def test_golden_files_tell_axes_and_scans_apart(golden: dict[str, NDArray[Any]], name: str) -> None:
    """Spacing on the wrong axes, another order of axes or one scan more or less would not pass the test above."""
    image, seeds, spacing = (golden[f"{name}/{part}"] for part in ("image", "seeds", "spacing"))
    expected = np.exp(-golden[f"{name}/distance/2/1.0"])
    turned = np.moveaxis(image, (1, 2, 3), (3, 2, 1)), seeds[:, ::-1], spacing[::-1]
    others = [
        exponentialized_geodesic(image, seeds, spacing=spacing[::-1], iterations=2),
        exponentialized_geodesic(turned[0], turned[1], spacing=turned[2], iterations=2).transpose(2, 1, 0),
        exponentialized_geodesic(image, seeds, spacing=spacing, iterations=1),
    ]
    for other in others:
        assert np.abs(other - expected).max() > 10 * TOLERANCE


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("lam", [1.0, 0.4, 0.0])
def test_never_below_the_shortest_way_and_equal_in_the_end(number: int, lam: float) -> None:
    image, seeds, spacing = _drawn(number, shape=(6, 5, 7))
    shortest = _shortest(image, seeds, spacing, lam)
    once = geodesic_distance(image, seeds, spacing=spacing, lam=lam, iterations=1)
    assert (once >= shortest * (1 - 1e-5) - 1e-6).all()
    at_last = geodesic_distance(image, seeds, spacing=spacing, lam=lam, iterations=300)
    np.testing.assert_allclose(at_last, shortest, rtol=1e-5, atol=1e-6)


def test_more_scans_come_nearer_through_a_maze() -> None:
    """Walls of a comb force ways back and forth that one pair of scans cannot follow."""
    image = np.zeros((3, 9, 21), np.float32)
    for wall in range(2, 21, 4):
        image[:, :, wall] = 50.0
        image[:, 0 if wall % 8 == 2 else -1, wall] = 0.0
    seeds, spacing = np.array([[1, 4, 0]]), (1.0, 1.0, 1.0)
    few, more, many = (
        geodesic_distance(image, seeds, spacing=spacing, iterations=count).astype(np.float64) for count in (1, 2, 50)
    )
    assert (few >= more).all()
    assert (more >= many).all()
    assert few.sum() > more.sum() > many.sum()
    np.testing.assert_allclose(many, _shortest(image[None], seeds, spacing, 1.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("thin", [(1, 6, 7), (6, 1, 7), (6, 7, 1), (1, 1, 9), (1, 1, 1)])
def test_one_voxel_along_an_axis(thin: tuple[int, int, int]) -> None:
    image, seeds, spacing = _drawn(3, shape=thin)
    found = geodesic_distance(image, seeds, spacing=spacing, iterations=100)
    assert found.shape == thin
    np.testing.assert_allclose(found, _shortest(image, seeds, spacing, 1.0), rtol=1e-5, atol=1e-6)


def test_channels_count_by_their_norm() -> None:
    """Changes of 3 and 4 in two channels cost what one of 5 does; one channel may lack its axis."""
    edge = (np.arange(8) >= 4).astype(np.float32) * np.ones((4, 5, 1), np.float32)
    seeds, spacing = [[1, 2, 0]], (1.0, 2.0, 3.0)
    two = geodesic_distance(np.stack([3 * edge, 4 * edge]), seeds, spacing=spacing)
    one = geodesic_distance(5 * edge, seeds, spacing=spacing)
    np.testing.assert_allclose(two, one, rtol=1e-6)
    np.testing.assert_array_equal(geodesic_distance(5 * edge[None], seeds, spacing=spacing), one)
    assert 15.0 < one[1, 2, -1] < 15.001


def test_map_is_one_at_the_seeds_and_falls() -> None:
    image, seeds, spacing = _drawn(1, shape=(8, 9, 10))
    found = exponentialized_geodesic(image, seeds, spacing=spacing)
    assert found.dtype == np.float32
    assert (found[tuple(seeds.T)] == 1.0).all()
    assert ((found > 0.0) & (found <= 1.0)).all()
    assert found.min() < 0.9


def test_the_input_stays_and_its_layout_does_not_matter() -> None:
    image, seeds, spacing = _drawn(2, shape=(8, 9, 10))
    expected = exponentialized_geodesic(image, seeds, spacing=spacing)
    kept = image.copy()
    for other in (np.asfortranarray(image), image.astype(np.float64), np.repeat(image, 2, axis=3)[:, :, :, ::2]):
        np.testing.assert_array_equal(exponentialized_geodesic(other, seeds.tolist(), spacing=spacing), expected)
    np.testing.assert_array_equal(image, kept)


def test_a_wall_too_dear_for_the_numbers_leaves_what_lies_behind_unreached() -> None:
    image = np.zeros((1, 1, 6), np.float32)
    image[..., 3:] = 3e38
    found = geodesic_distance(image, [[0, 0, 0]], spacing=(1.0, 1.0, 1.0))
    assert found[0, 0, 2] < 1.0
    assert (found[0, 0, 3:] == np.float32(UNREACHED)).all()


IMAGE = np.zeros((4, 5, 6), np.float32)
SEEDS = np.array([[1, 2, 3]])


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("geodesic-no-seeds", {"seeds": np.zeros((0, 3), int)}),
        ("geodesic-no-seeds", {"seeds": []}),
        ("geodesic-seeds-not-voxels", {"seeds": [[1.0, 2.0, 3.0]]}),
        ("geodesic-seeds-not-voxels", {"seeds": [[np.nan, 2.0, 3.0]]}),
        ("geodesic-seeds-not-voxels", {"seeds": [1, 2, 3]}),
        ("geodesic-seeds-not-voxels", {"seeds": [[1, 2]]}),
        ("geodesic-seed-outside", {"seeds": [[1, 2, 3], [4, 0, 0]]}),
        ("geodesic-seed-outside", {"seeds": [[0, -1, 0]]}),
        ("geodesic-image-not-finite", {"image": np.where(np.arange(6) == 2, np.nan, IMAGE)}),
        ("geodesic-image-not-finite", {"image": np.where(np.arange(6) == 2, np.inf, IMAGE)}),
        ("geodesic-image-shape", {"image": IMAGE[0]}),
        ("geodesic-image-shape", {"image": IMAGE[None, None]}),
        ("geodesic-image-shape", {"image": IMAGE[:0]}),
        ("geodesic-spacing", {"spacing": (1.0, 0.0, 1.0)}),
        ("geodesic-spacing", {"spacing": (1.0, -1.0, 1.0)}),
        ("geodesic-spacing", {"spacing": (1.0, np.nan, 1.0)}),
        ("geodesic-spacing", {"spacing": (np.inf, 1.0, 1.0)}),
        ("geodesic-spacing", {"spacing": (1.0, 1.0)}),
        ("geodesic-lambda", {"lam": 1.5}),
        ("geodesic-lambda", {"lam": np.nan}),
        ("geodesic-iterations", {"iterations": 0}),
        ("geodesic-iterations", {"iterations": 2.5}),
    ],
)
def test_refusals(code: str, changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {"image": IMAGE, "seeds": SEEDS, "spacing": (1.0, 1.0, 1.0)} | changed
    with pytest.raises(RejectedInput) as refused:
        exponentialized_geodesic(given.pop("image"), given.pop("seeds"), **given)
    assert refused.value.code == code


def test_numba_comes_with_the_first_map_only() -> None:
    script = "import sys, training.prompts.geodesic; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _drawn(
    number: int, *, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[float, float, float]]:
    """An image of one or two channels, one to three seeds, and anisotropic spacing."""
    rng = np.random.default_rng(number)
    image = rng.normal(size=(1 + number % 2, *shape)).astype(np.float32)
    seeds = np.stack([rng.integers(0, size, 1 + number % 3) for size in shape], axis=1)
    low, middle, high = (float(value) for value in rng.uniform(0.5, 5.0, 3))
    return image, seeds, (low, middle, high)


def _shortest(
    image: NDArray[np.float32], seeds: NDArray[np.integer], spacing: tuple[float, ...], lam: float
) -> NDArray[np.float64]:
    """Dijkstra's shortest ways over the 26-neighbourhood, in double precision."""
    shape = image.shape[1:]
    distance = np.full(shape, np.inf)
    queue: list[tuple[float, tuple[int, ...]]] = [(0.0, tuple(seed)) for seed in seeds.tolist()]
    for _, seed in queue:
        distance[seed] = 0.0
    while queue:
        so_far, here = heapq.heappop(queue)
        for offset in itertools.product((-1, 0, 1), repeat=3):
            there = tuple(np.add(here, offset).tolist())
            if not any(offset) or not all(0 <= at < size for at, size in zip(there, shape, strict=True)):
                continue
            change = np.linalg.norm(image[:, *here].astype(float) - image[:, *there])
            step = np.linalg.norm(np.multiply(offset, spacing)) / ((1 - lam) + lam / (change + 1e-5))
            if so_far + step < distance[there]:
                distance[there] = so_far + step
                heapq.heappush(queue, (distance[there], there))
    return distance
