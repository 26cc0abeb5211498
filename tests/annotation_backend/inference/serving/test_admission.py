"""Overload is refused at once with the time to come again, turns are fair, and all is well again soon after."""

import fcntl
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from annotation_backend.inference.serving.admission import (
    Admission,
    Overloaded,
    computing_at_once,
    one_process_at_a_time,
)

SERVICE_SECONDS = 0.05


def work(admission: Admission, who: str = "", seconds: float = SERVICE_SECONDS) -> float:
    """One answer; seconds from the request to it."""
    started = time.monotonic()
    with admission.turn(who):
        time.sleep(seconds)
    return time.monotonic() - started


def test_no_more_than_allowed_are_computed_at_once() -> None:
    admission, now, most = Admission(at_once=2, patience=5.0, most_waiting=50), [0], [0]
    lock = threading.Lock()

    def count(_: int) -> None:
        with admission.turn():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(count, range(40)))
    assert most[0] == 2
    assert admission.expected_wait == 0


def test_three_times_the_load_is_refused_with_a_time_and_recovers(tell_figure: Callable[[str], None]) -> None:
    patience = 0.5
    admission = Admission(at_once=1, patience=patience)
    for _ in range(20):
        work(admission)
    until = time.monotonic() + 2.0
    outcomes: Counter[str] = Counter()
    longest, told = [0.0], set()

    def person(number: int) -> None:
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                work(admission, str(number))
                outcomes["answered"] += 1
            except Overloaded as error:
                told.add(error.retry_after)
                outcomes["refused"] += 1
                time.sleep(SERVICE_SECONDS)
            longest[0] = max(longest[0], time.monotonic() - begun)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(person, range(30)))
    begun = time.monotonic()
    while admission.expected_wait > 0:
        time.sleep(0.01)
    recovered = time.monotonic() - begun
    assert outcomes["answered"] > 20
    assert outcomes["refused"] > 20
    assert told <= {1, 2}
    assert longest[0] < patience + 10 * SERVICE_SECONDS
    assert recovered < 5.0
    assert work(admission) < 2 * SERVICE_SECONDS
    tell_figure(
        f"admission at 30 people for one place: {outcomes['answered']} answered, {outcomes['refused']} refused, "
        f"longest {longest[0]:.2f} s (patience {patience} s), free again after {recovered:.2f} s"
    )


def test_who_asks_much_does_not_keep_others_waiting() -> None:
    admission, order = Admission(at_once=1, patience=10.0, most_waiting=50), []
    first = threading.Event()

    def ask(who: str) -> None:
        with admission.turn(who):
            if first.is_set():
                order.append(who)
            else:
                first.set()
                time.sleep(0.3)
            time.sleep(0.01)

    with ThreadPoolExecutor(16) as pool:
        pool.submit(ask, "busy")
        assert first.wait(5)
        for _ in range(6):
            pool.submit(ask, "busy")
        time.sleep(0.1)
        pool.submit(ask, "quiet")
    assert order[0] == "quiet"
    assert Counter(order) == {"busy": 6, "quiet": 1}


def test_too_many_are_refused_before_any_work() -> None:
    admission, here, release = (
        Admission(at_once=1, patience=1.0, most_waiting=2),
        threading.Barrier(4),
        threading.Event(),
    )

    def handle() -> None:
        with admission.arrival():
            here.wait(5)
            release.wait(5)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(handle)
        here.wait(5)
        assert admission.is_busy
        with pytest.raises(Overloaded), admission.arrival():
            pytest.fail("one too many")
        release.set()
    assert not admission.is_busy
    with admission.arrival():
        pass


def test_an_error_frees_the_turn() -> None:
    admission = Admission(at_once=1, patience=1.0)
    for _ in range(5):
        with pytest.raises(ValueError, match="broken"), admission.turn():
            raise ValueError("broken")
    assert admission.expected_wait == 0


def test_the_expected_wait_follows_what_answers_take() -> None:
    admission = Admission(at_once=1, patience=100.0, most_waiting=50)
    for _ in range(30):
        work(admission, seconds=0.01)
    release = threading.Event()

    def hold() -> None:
        with admission.turn():
            release.wait(5)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            pool.submit(hold)
        time.sleep(0.1)
        assert admission.expected_wait == pytest.approx(3 * 0.011, abs=0.01)
        release.set()


def test_one_process_at_a_time_uses_a_gpu(tmp_path: Path) -> None:
    path = tmp_path / "gpu.lock"
    with one_process_at_a_time(path, patience=0.0):
        pass
    other = os.open(path, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(Overloaded), one_process_at_a_time(path, patience=0.05):
        pytest.fail("two at once")
    threading.Timer(0.1, os.close, [other]).start()
    with one_process_at_a_time(path, patience=5.0):
        pass


def test_a_process_computes_one_answer_for_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from annotation_backend import machine
    from annotation_backend.inference.serving import admission

    for module in (machine, admission):
        monkeypatch.setattr(module, "cores", lambda: 8)
    monkeypatch.setattr(machine, "memory_bytes", lambda: 16 << 30)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(admission, "has_gpu", lambda: False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (machine.web_processes(), machine.inference_threads(), computing_at_once()) == (4, 2, 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert computing_at_once() == 2
    monkeypatch.setattr(admission, "has_gpu", lambda: True)
    assert computing_at_once() == 1
