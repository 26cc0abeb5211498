"""OpenVINO answers as torch does, for any shape and from any thread, and torch stands in where it cannot."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import DynUNet, UNet
from scipy.special import expit
from torch import Tensor

from datasets.errors import ProgramFault
from training.runtime import Array, OpenVinoRuntime, Precision, TorchRuntime, runtime_of

CPU = torch.device("cpu")
TOLERANCE = 1e-4


def dyn_unet() -> torch.nn.Module:
    torch.manual_seed(3)
    return DynUNet(
        spatial_dims=3, in_channels=5, out_channels=1, filters=(8, 16, 32, 64, 128), res_block=True,
        kernel_size=[[3, 3, 1]] + [[3, 3, 3]] * 4, strides=[[1, 1, 1], [2, 2, 1]] + [[2, 2, 2]] * 3,
        upsample_kernel_size=[[2, 2, 1]] + [[2, 2, 2]] * 3, norm_name=("INSTANCE", {"affine": True}),
        deep_supervision=True, deep_supr_num=2,
    ).eval()  # fmt: skip


def unet() -> torch.nn.Module:
    torch.manual_seed(4)
    widths = (16, 32, 64, 128)
    return UNet(2, in_channels=6, out_channels=1, channels=widths, strides=(2, 2, 2), num_res_units=2).eval()


class AddedStages(torch.nn.Module):
    """Two inputs, as a refinement network has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.image = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.before = torch.nn.Conv2d(1, 4, 1)

    def forward(self, image: Tensor, before: Tensor) -> Tensor:
        return self.image(image) + self.before(before)


class WidthTimes(torch.nn.Module):
    """A network whose conversion is wrong for every width but the first: the width becomes a constant."""

    def forward(self, image: Tensor) -> Tensor:
        return image * float(image.shape[-1])


class Unreadable(torch.nn.Module):
    """A network that no converter can follow."""

    def forward(self, image: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            raise NotImplementedError("not while somebody watches")
        return torch.from_numpy(np.sort(image.numpy(), axis=-1))


class LeavesTorch(torch.nn.Module):
    """A network whose conversion repeats what it answered once."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.from_numpy(np.sort(image.numpy(), axis=-1))


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def on_torch(network: torch.nn.Module, *inputs: Array) -> Array:
    return TorchRuntime(network, device=CPU)(*inputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "shape"),
    [(dyn_unet, (1, 5, 64, 64, 48)), (dyn_unet, (2, 5, 32, 48, 16)), (unet, (1, 6, 128, 128)), (unet, (8, 6, 64, 96))],
)
def test_openvino_equals_torch(
    network: Callable[[], torch.nn.Module], shape: tuple[int, ...], tell_figure: Callable[[str], None]
) -> None:
    built = network()
    runtime = runtime_of(built, device=CPU)
    given = noise(*shape, seed=1)
    answer, expected = runtime(given), on_torch(built, given)
    assert isinstance(runtime, OpenVinoRuntime)
    assert runtime.shapes_on_torch == ()
    assert np.abs(expected).max() > 0.1
    assert np.abs(answer - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max())
    assert np.abs(expit(answer) - expit(expected)).max() <= TOLERANCE
    ratio = seconds(partial(on_torch, built, given)) / seconds(partial(runtime, given))
    tell_figure(f"OpenVINO beside torch, {type(built).__name__} {shape}: {ratio:.1f} times as fast")


def seconds(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def test_two_inputs() -> None:
    network = AddedStages().eval()
    image, before = noise(1, 2, 16, 24), noise(1, 1, 16, 24, seed=1)
    runtime = runtime_of(network, device=CPU)
    np.testing.assert_allclose(runtime(image, before), on_torch(network, image, before), atol=TOLERANCE)
    assert isinstance(runtime, OpenVinoRuntime)
    assert not runtime.shapes_on_torch


@pytest.mark.parametrize("threads", [1, 2])
def test_many_inputs_are_answered_in_their_order(threads: int) -> None:
    network, before = unet(), torch.get_num_threads()
    runtime, given = runtime_of(network, device=CPU), [noise(2, 6, 32, 32, seed=number) for number in range(5)]
    torch.set_num_threads(threads)
    try:
        answers = list(runtime.each(iter(given)))
        broken_off = runtime.each(iter(given))
        first = next(broken_off)
        del broken_off
    finally:
        torch.set_num_threads(before)
    assert len(answers) == len(given)
    for answer, one in zip(answers, given, strict=True):
        np.testing.assert_allclose(answer, on_torch(network, one), atol=TOLERANCE)
    np.testing.assert_array_equal(first, answers[0])
    assert list(runtime.each(iter(()))) == []


def test_a_network_that_nobody_can_convert_answers_many_inputs_on_torch(caplog: pytest.LogCaptureFixture) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        [answer] = runtime_of(Unreadable().eval(), device=CPU).each([noise(1, 1, 4, 4)])
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(answer, np.sort(noise(1, 1, 4, 4), axis=-1))
    assert "in streams" in caplog.text


def test_fortran_order_and_other_dtypes_are_read_as_float32() -> None:
    network = unet()
    given = np.asfortranarray(noise(1, 6, 32, 32).astype(np.float64))
    answer = runtime_of(network, device=CPU)(given)  # type: ignore[arg-type]
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, on_torch(network, given.astype(np.float32)), atol=TOLERANCE)


def test_an_answer_is_the_callers_own() -> None:
    runtime = runtime_of(unet(), device=CPU)
    first = runtime(noise(1, 6, 32, 32))
    kept = first.copy()
    runtime(noise(1, 6, 32, 32, seed=9))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0.0


@pytest.mark.slow
def test_threads_get_their_own_answers() -> None:
    network = unet()
    runtime = runtime_of(network, device=CPU)
    given = [noise(1, 6, 32, 32 + 16 * (number % 3), seed=number) for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(runtime, given))
    for one, answer in zip(given, answers, strict=True):
        np.testing.assert_allclose(answer, on_torch(network, one), atol=TOLERANCE)


def test_many_shapes_are_compiled_twice_and_right() -> None:
    network = AddedStages().eval()
    runtime = OpenVinoRuntime(network)
    for width in (9, 8, 9, 24, 1, 8, 57):
        image, before = noise(2, 2, 8, width), noise(2, 1, 8, width, seed=1)
        np.testing.assert_allclose(runtime(image, before), on_torch(network, image, before), atol=TOLERANCE)
    assert len(runtime.checked_on) == 2
    assert not runtime.shapes_on_torch


@pytest.mark.slow
def test_every_canvas_of_a_volume_network_is_right(tell_figure: Callable[[str], None]) -> None:
    network = dyn_unet()
    runtime = OpenVinoRuntime(network)
    taken = {}
    for number, shape in enumerate([(1, 5, 32, 32, 16), (1, 5, 16, 32, 32), (1, 5, 48, 16, 16), (2, 5, 32, 48, 16)]):
        given = noise(*shape, seed=number)
        started = time.perf_counter()
        answer = runtime(given)
        taken[shape] = time.perf_counter() - started
        expected = on_torch(network, given)
        assert np.abs(answer - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max())
    tell_figure("First answers, s: " + ", ".join(f"{shape} {spent:.2f}" for shape, spent in taken.items()))
    assert not runtime.shapes_on_torch


def test_torch_stands_in_where_the_conversion_fails(caplog: pytest.LogCaptureFixture) -> None:
    runtime = OpenVinoRuntime(Unreadable().eval())
    given = noise(1, 1, 4, 6)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(runtime(given), np.sort(given, axis=-1))
    assert runtime.shapes_on_torch == (((1, 1, 4, 6),),)
    assert "OpenVINO cannot run this network" in caplog.text


def test_torch_stands_in_where_the_conversion_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    runtime, given = OpenVinoRuntime(LeavesTorch().eval()), noise(1, 1, 4, 6, seed=7)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(runtime(given), np.sort(given, axis=-1))
    assert "answers otherwise" in caplog.text


def test_torch_stands_in_for_the_shapes_whose_conversion_is_wrong() -> None:
    runtime = OpenVinoRuntime(WidthTimes().eval())
    for width in (6, 9):
        given = noise(1, 1, 4, width)
        np.testing.assert_allclose(runtime(given), given * width, rtol=1e-5)
    assert runtime.shapes_on_torch == (((1, 1, 4, 9),),)


def test_the_programs_log_stays_as_it_was() -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), list(root.filters)
    runtime_of(unet(), device=CPU)(noise(1, 6, 32, 32))
    assert (root.level, root.handlers, root.filters) == before
    assert logging.getLogger("training").isEnabledFor(logging.WARNING)


def test_a_network_that_trains_is_refused() -> None:
    with pytest.raises(ProgramFault, match="evaluation mode"):
        runtime_of(unet().train(), device=CPU)


@pytest.mark.slow
def test_fast_is_close_and_standard_is_closer() -> None:
    network, given = unet(), noise(1, 6, 64, 64)
    expected = on_torch(network, given)
    fast = runtime_of(network, device=CPU, precision=Precision.FAST)(given)
    standard = runtime_of(network, device=CPU)(given)
    assert np.abs(fast - expected).max() <= 0.1 * np.abs(expected).max()
    assert np.abs(standard - expected).max() <= np.abs(fast - expected).max()


def test_without_openvino_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.runtime.openvino_library", lambda: None)
    network, given = unet(), noise(1, 6, 32, 32)
    runtime = runtime_of(network, device=CPU)
    assert isinstance(runtime, TorchRuntime)
    with torch.inference_mode():
        np.testing.assert_array_equal(runtime(given), network(torch.from_numpy(given)).numpy())


@pytest.mark.slow
def test_nothing_is_reported_and_nothing_written_home(tmp_path: Path) -> None:
    script = (
        "import sys, torch, numpy; from training.runtime import runtime_of; "
        "run = runtime_of(torch.nn.Conv2d(1, 1, 3).eval(), device=torch.device('cpu')); "
        "run(numpy.zeros((1, 1, 8, 8), 'float32')); "
        "print(type(run).__name__, any(name.startswith('openvino_telemetry.') for name in sys.modules))"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["OpenVinoRuntime", "False"]
    assert not [path.name for path in tmp_path.rglob("*") if "intel" in path.name or "openvino" in path.name]
