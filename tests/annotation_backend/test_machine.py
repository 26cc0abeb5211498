"""The processes of an installation share cores and memory."""

from pathlib import Path

import pytest

from annotation_backend import machine
from training.memory import process_memory

GB = 1 << 30


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "memory_bytes", lambda: 24 * GB)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("cores", "memory", "gpu", "expected"),
    [
        (1, 24, False, 1),
        (2, 24, False, 2),
        (2, 6, False, 1),
        (16, 24, False, 6),
        (64, 512, False, 8),
        (64, 512, True, 1),
    ],
)
def test_web_processes(large: pytest.MonkeyPatch, cores: int, memory: int, gpu: bool, expected: int) -> None:
    large.setattr(machine, "cores", lambda: cores)
    large.setattr(machine, "memory_bytes", lambda: memory * GB)
    large.setattr(machine, "has_gpu", lambda: gpu)
    assert machine.web_processes() == expected


def test_a_setting_says_otherwise(large: pytest.MonkeyPatch, settings: object) -> None:
    settings.WEB_PROCESSES, settings.CACHE_MB, settings.INFERENCE_THREADS = 3, 700, 5
    assert (machine.web_processes(), machine.cache_bytes(), machine.inference_threads()) == (3, 700 << 20, 5)


def test_all_caches_together_stay_under_a_quarter_of_the_memory(large: pytest.MonkeyPatch) -> None:
    assert machine.cache_bytes() * (machine.web_processes() + 1) <= 24 * GB // 4
    large.setattr(machine, "memory_bytes", lambda: GB)
    assert machine.cache_bytes() == machine.LEAST_CACHE_BYTES


def test_a_container_has_less_than_its_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit, none = tmp_path / "memory.max", tmp_path / "unlimited"
    limit.write_text("1000000\n")
    none.write_text("max\n")
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (none, limit, tmp_path / "absent"))
    assert machine.memory_bytes() == 1_000_000


def test_this_process_keeps_its_share() -> None:
    assert process_memory().limit == machine.cache_bytes()
