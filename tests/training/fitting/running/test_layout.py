"""Numbers in which networks multiply: the choice, and that fp16 learns with scaled losses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.errors import RejectedInput
from training.fitting.loop import fit_network
from training.fitting.running.layout import NumberFormat, compiled
from training.fitting.running.running import Running
from training.fitting.running.settings import LoopSettings

CPU = torch.device("cpu")


def test_the_processor_multiplies_bf16_only_where_it_can() -> None:
    flags = Path("/proc/cpuinfo")
    has_bf16 = flags.exists() and "avx512_bf16" in flags.read_text()
    expected = torch.bfloat16 if has_bf16 else torch.float32
    assert NumberFormat.AUTO.kind(CPU) is expected
    assert NumberFormat.FULL.kind(CPU) is torch.float32
    assert NumberFormat.HALF.kind(CPU) is torch.float16


@pytest.mark.parametrize(
    ("has_bf16", "expected", "scaled"), [(True, torch.bfloat16, False), (False, torch.float16, True)]
)
def test_a_gpu_without_bf16_gets_fp16_and_scaled_losses(
    has_bf16: bool, expected: torch.dtype, scaled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert NumberFormat.AUTO.kind(torch.device("cuda")) is expected
    kind = NumberFormat.AUTO.kind(torch.device("cuda"))
    assert (kind is torch.float16) is scaled


def tiny(running: Running):  # type: ignore[no-untyped-def]
    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        images = torch.from_numpy(random.standard_normal((4, 8)).astype(np.float32))
        with running.mixed(CPU):
            answer = network(images)
        # The gradient of an answer is about 3e-8, which is 0 in fp16: only scaled losses learn from it.
        yield (answer.float() - images.sum(1, keepdim=True)).square().mean() * 3e-8

    return learn


def fitted(precision: str, checkpoint: Path | None = None) -> tuple[list[float], nn.Module]:
    torch.manual_seed(0)
    network = nn.Linear(8, 1)
    running = Running(precision=precision)
    settings = LoopSettings(iterations=60, learning_rate=0.05, weight_decay=0.0, checkpoint_every=20)
    return fit_network(network, tiny(running), settings, running=running, checkpoint=checkpoint), network


def test_fp16_learns_from_small_gradients_as_32_bits_do() -> None:
    full, half = fitted("full")[0], fitted("half")[0]
    assert half[-1] < 0.1 * half[0]
    np.testing.assert_allclose(half, full, rtol=0.2, atol=3e-9)


def test_the_scale_of_losses_is_in_the_checkpoint(tmp_path: Path) -> None:
    from safetensors import safe_open

    fitted("half", tmp_path / "half")
    with safe_open(tmp_path / "half", framework="pt") as opened:
        assert '"scaler": {"scale": 65536.0' in opened.metadata()["about"]


def test_gradients_that_fp16_never_takes_end_a_training() -> None:
    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        # The loss is 0; the root's slope there is infinite.
        yield (network(torch.ones(2, 8)) * 0.0).sqrt().mean()

    done: list[int] = []
    with pytest.raises(RejectedInput, match="fit-diverged"):
        fit_network(
            nn.Linear(8, 1),
            learn,
            LoopSettings(iterations=1000),
            running=Running(precision="half"),
            progress=lambda iteration, *_told: done.append(iteration),
        )
    assert 16 < len(done) < 40, "the scale fell below 1 before"


@pytest.mark.slow
def test_a_compiled_network_has_the_same_weights_and_answers() -> None:
    network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1))
    images = torch.rand(3, 8)
    torch.testing.assert_close(compiled(network, CPU)(images), network(images))


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RejectedInput, match="compiler-missing"):
        compiled(nn.Linear(1, 1), CPU)
