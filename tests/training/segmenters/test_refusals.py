"""What no segmenter may choke on: prompts in strange places, strange images, damaged weights. Refused, or answered."""

import resource
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Grid, Volume
from tests.training.support.synthetic import lps_grid
from tests.training.support.tiny_models import BUILDERS, tiny_segmenter
from training.methods.loading import load_segmenter
from training.model_package import WEIGHTS_NAME, write_package
from training.prompts.prompt import Click, PointMm, Prompts
from training.segmenters.segmenter import Segmentation, SegmentationRequest

METHODS = tuple(BUILDERS)
CLICKED = tuple(name for name in METHODS if name != "six-points")
SHAPE = (40, 36, 12)
GRID = lps_grid(SHAPE, (1.5, 1.5, 4.0))

Voxels = list[tuple[float, float, float]]

ENDS: Voxels = [(20, 18, 2), (20, 18, 9), (20, 8, 6), (20, 28, 6), (10, 18, 6), (30, 18, 6)]


def image(grid: Grid = GRID) -> Volume:
    random = np.random.default_rng(0)
    inside = np.linalg.norm((np.indices(grid.shape).T - np.array(grid.shape) / 2) / grid.shape, axis=-1).T < 0.25
    return Volume((300 + 200 * inside + random.normal(0, 20, grid.shape)).astype(np.float32), grid)


def points(voxels: Voxels, grid: Grid = GRID) -> tuple[PointMm, ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in grid.to_world(np.array(voxels).reshape(-1, 3)))


def prompts(name: str, at: tuple[PointMm, ...]) -> Prompts:
    """The points as a method takes them: extreme points, or clicks that are positive and negative in turn."""
    if name == "six-points":
        return Prompts(extreme_points=at)
    return Prompts(tuple(Click(point, number % 3 != 2) for number, point in enumerate(at)))


def request(name: str, voxels: Voxels, volume: Volume | None = None) -> SegmentationRequest:
    shown = image() if volume is None else volume
    return SegmentationRequest({"t1": shown}, "t1", prompts(name, points(voxels, shown.grid)))


def drawn(name: str, asked: SegmentationRequest) -> Segmentation:
    """The answer, which must be one."""
    answer = tiny_segmenter(name).segment(asked)
    asked.volumes["t1"].grid.require_match(answer.probability.grid, what="The answer and the image")
    assert answer.probability.data.dtype == np.float32
    assert 0.0 <= answer.probability.data.min() <= answer.probability.data.max() <= 1.0
    return answer


def refused(name: str, asked: SegmentationRequest) -> str:
    """The code of the refusal, which must be one, with a remedy and without the points' coordinates."""
    with pytest.raises(RejectedInput) as caught:
        tiny_segmenter(name).segment(asked)
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize("name", METHODS)
def test_an_ordinary_request_is_answered(name: str) -> None:
    assert drawn(name, request(name, ENDS)).probability.data.max() > 0.0


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("voxel", [(-3, 18, 6), (20, 36, 6), (20, 18, 12), (1e7, 1e7, 1e7)])
def test_a_point_outside_the_image(name: str, voxel: tuple[float, float, float]) -> None:
    assert refused(name, request(name, [*ENDS, voxel])) == "prompt-outside"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e308])
def test_a_point_that_is_no_number(name: str, bad: float) -> None:
    at = (*points(ENDS), (bad, 0.0, 0.0))
    code = refused(name, SegmentationRequest({"t1": image()}, "t1", prompts(name, at)))
    assert code == ("prompt-outside" if np.isfinite(bad) else "prompt-not-finite")


@pytest.mark.parametrize("name", METHODS)
def test_all_points_on_one_plane(name: str) -> None:
    flat: Voxels = [(i, j, 6) for i, j, _ in ENDS]
    if name == "six-points":
        assert refused(name, request(name, flat)) == "points-on-one-plane"
    else:
        drawn(name, request(name, flat))


@pytest.mark.parametrize("name", METHODS)
def test_all_points_at_one_place(name: str) -> None:
    if name == "six-points":
        assert refused(name, request(name, [(20, 18, 6)] * 6)) == "points-identical"
        return
    several = SegmentationRequest({"t1": image()}, "t1", Prompts((Click(points([(20, 18, 6)])[0]),) * 6))
    once = replace(several, prompts=Prompts(several.prompts.clicks[:1]))
    np.testing.assert_array_equal(drawn(name, several).probability.data, drawn(name, once).probability.data)


@pytest.mark.parametrize("name", METHODS)
def test_points_in_the_corners(name: str) -> None:
    i, j, k = (size - 1 for size in SHAPE)
    drawn(name, request(name, [(0, 0, 0), (i, 0, 0), (0, j, 0), (0, 0, k), (i, j, k), (i, j, 0)]))


@pytest.mark.parametrize("name", METHODS)
def test_points_in_the_air(name: str) -> None:
    volume = image()
    volume.data[:20] = 0
    drawn(name, request(name, [(i / 3, j, k) for i, j, k in ENDS], volume))


@pytest.mark.parametrize("name", CLICKED)
def test_no_clicks(name: str) -> None:
    drawn(name, request(name, []))


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_points(count: int) -> None:
    assert refused("six-points", request("six-points", ENDS[:count])) == "points-few"


@pytest.mark.parametrize("name", METHODS)
def test_ten_thousand_points(name: str, tell_figure: Callable[[str], None]) -> None:
    random = np.random.default_rng(1)
    voxels = [(float(i), float(j), float(k)) for i, j, k in random.uniform(0, np.array(SHAPE) - 1, (10_000, 3))]
    asked = request(name, voxels)
    started = time.perf_counter()
    drawn(name, asked)
    taken = time.perf_counter() - started
    tell_figure(f"10,000 points, {name}: {taken:.2f} s")
    assert taken < 15.0


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers(name: str, bad: float) -> None:
    volume = image()
    volume.data[::3, ::2, ::2] = bad
    drawn(name, request(name, ENDS, volume))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_an_image_without_contrast(name: str, value: float) -> None:
    drawn(name, request(name, ENDS, Volume(np.full(SHAPE, value, np.float32), GRID)))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float64, np.bool_])
def test_every_kind_of_number(name: str, dtype: type[np.generic]) -> None:
    drawn(name, request(name, ENDS, Volume(image().data.clip(0, 255).astype(dtype), GRID)))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_image_of_one_slice(name: str, axis: int) -> None:
    shape = tuple(1 if number == axis else size for number, size in enumerate(SHAPE))
    flat: Voxels = [tuple(0 if number == axis else at for number, at in enumerate(voxel)) for voxel in ENDS]  # type: ignore[misc]
    volume = image(lps_grid((shape[0], shape[1], shape[2]), (1.5, 1.5, 4.0)))
    drawn(name, replace(request(name, flat, volume), slice_axis=axis))


@pytest.mark.parametrize("name", CLICKED)
def test_an_image_of_one_voxel(name: str) -> None:
    volume = Volume(np.ones((1, 1, 1), np.float32), lps_grid((1, 1, 1), (1.5, 1.5, 4.0)))
    drawn(name, request(name, [(0, 0, 0)], volume))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_large_image(name: str, tell_figure: Callable[[str], None]) -> None:
    grid = lps_grid((1024, 1024, 60), (0.4, 0.4, 3.0))
    volume = Volume(np.zeros(grid.shape, np.int16), grid)
    volume.data[480:540, 480:540, 20:40] = 300
    ends: Voxels = [(510, 510, 21), (510, 510, 38), (510, 485, 30), (510, 535, 30), (485, 510, 30), (535, 510, 30)]
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    drawn(name, request(name, ends, volume))
    taken, grown = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    tell_figure(f"1024 x 1024 x 60, {name}: {taken:.2f} s, peak memory {grown / 1024:.0f} MiB more")
    assert taken < 30.0


@pytest.mark.parametrize("name", CLICKED)
@pytest.mark.parametrize("other", [lps_grid(SHAPE, (1.5, 1.5, 4.1)), lps_grid((40, 36, 11), (1.5, 1.5, 4.0))])
def test_a_previous_mask_on_another_grid(name: str, other: Grid) -> None:
    asked = replace(request(name, ENDS), previous=Volume(np.zeros(other.shape, np.float32), other))
    with pytest.raises(GeometryError, match="grid-mismatch"):
        tiny_segmenter(name).segment(asked)


@pytest.mark.parametrize("name", CLICKED)
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, 2.0, -1.0])
def test_a_previous_mask_of_any_content(name: str, value: float) -> None:
    drawn(name, replace(request(name, ENDS), previous=Volume(np.full(SHAPE, value, np.float32), GRID)))


@pytest.mark.parametrize("name", METHODS)
def test_the_wrong_image(name: str) -> None:
    assert refused(name, replace(request(name, ENDS), volumes={"t2": image()})) == "sequence-missing"


@pytest.mark.parametrize("name", METHODS)
def test_the_image_and_the_previous_mask_stay_as_they_were(name: str) -> None:
    asked = replace(request(name, ENDS), previous=Volume(np.full(SHAPE, 0.7, np.float32), GRID))
    kept, before = asked.volumes["t1"].data.copy(), asked.previous.data.copy()  # type: ignore[union-attr]
    drawn(name, asked)
    np.testing.assert_array_equal(asked.volumes["t1"].data, kept)
    np.testing.assert_array_equal(asked.previous.data, before)  # type: ignore[union-attr]


@pytest.fixture(params=METHODS)
def package(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Folder and digest of a whole package."""
    description, tensors = BUILDERS[request.param]()
    return tmp_path / "model", write_package(tmp_path / "model", description, tensors)


def test_a_whole_package_loads(package: tuple[Path, str]) -> None:
    assert callable(load_segmenter(package[0], expected_digest=package[1]).segment)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights(package: tuple[Path, str], share: float) -> None:
    path = package[0] / WEIGHTS_NAME
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert load_refused(package) == "package-weights-digest"


def test_pickled_weights(package: tuple[Path, str]) -> None:
    import torch

    torch.save({"0/weight": torch.zeros(3)}, package[0] / WEIGHTS_NAME)
    assert zipfile.is_zipfile(package[0] / WEIGHTS_NAME)
    assert load_refused(package) == "package-pickled"


def test_weights_that_are_gone(package: tuple[Path, str]) -> None:
    (package[0] / WEIGHTS_NAME).unlink()
    assert load_refused(package) == "package-missing"


@pytest.mark.parametrize("name", METHODS)
def test_weights_of_another_network(name: str, tmp_path: Path) -> None:
    description, tensors = BUILDERS[name]()
    missing = dict(list(tensors.items())[1:])
    digest = write_package(tmp_path / "model", description, missing)
    assert load_refused((tmp_path / "model", digest)) == "package-network"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("change", ["missing", "text", "negative"])
def test_parameters_that_hold_no_plan(name: str, change: str, tmp_path: Path) -> None:
    description, tensors = BUILDERS[name]()
    parameters = dict(description.parameters)
    match change:
        case "missing":
            parameters.pop("channels")
        case "text":
            parameters["members"] = "many"
        case "negative":
            parameters["members"] = -1
    digest = write_package(tmp_path / "model", replace(description, parameters=parameters), tensors)
    is_of_the_plan = name != "six-points" and change != "missing"
    assert load_refused((tmp_path / "model", digest)) == ("click-plan" if is_of_the_plan else "package-parameters")
    shutil.rmtree(tmp_path / "model")


def load_refused(package: tuple[Path, str]) -> str:
    """The code of the refusal, which must be one."""
    with pytest.raises(RejectedInput) as caught:
        load_segmenter(package[0], expected_digest=package[1])
    return caught.value.code
