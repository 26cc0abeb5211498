"""The budget is bounded in bytes, keeps what was used last, makes each thing once, and lets others go on meanwhile."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from training.memory import MemoryBudget, process_memory


def bytes_of(array: np.ndarray) -> int:
    return array.nbytes


def test_keeps_the_most_recently_used_up_to_its_bytes() -> None:
    memory = MemoryBudget(limit=25)
    made: list[int] = []

    def get(index: int) -> int:
        return memory.get(("number", index), lambda: made.append(index) or index * 10, size=lambda _: 10)

    assert [get(1), get(2), get(1), get(3), get(1), get(2)] == [10, 20, 10, 30, 10, 20]
    assert made == [1, 2, 3, 2]
    assert (len(memory), memory.used) == (2, 20)


def test_many_cases_stay_under_the_bound() -> None:
    limit = 10 << 20
    memory = MemoryBudget(limit)
    most = 0
    sizes = np.random.default_rng(0).integers(1 << 10, 3 << 20, size=2000).tolist()

    def use(case: int) -> None:
        nonlocal most
        memory.get(("volumes", case), lambda: np.zeros(sizes[case], np.uint8), size=bytes_of)
        most = max(most, memory.used)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(2000)))
    assert limit // 2 < most <= limit
    assert memory.used == sum(size for case, size in enumerate(sizes) if ("volumes", case) in memory)


def test_what_is_larger_than_the_budget_is_given_and_not_kept() -> None:
    memory = MemoryBudget(limit=100)
    memory.get("small", lambda: b"x" * 60, size=len)
    assert len(memory.get("large", lambda: b"x" * 101, size=len)) == 101
    assert "large" not in memory
    assert "small" in memory


def test_a_lower_limit_makes_room_at_once() -> None:
    memory = MemoryBudget(limit=100)
    for number in range(10):
        memory.get(number, lambda: b"x" * 10, size=len)
    memory.set_limit(35)
    assert (len(memory), memory.used) == (3, 30)


def test_many_threads_make_a_value_once() -> None:
    memory = MemoryBudget()
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return 7

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: memory.get("key", make, size=lambda _: 1), range(16)))
    assert answers == [7] * 16
    assert made == [1]


def test_a_slow_value_does_not_hold_up_another() -> None:
    memory = MemoryBudget()
    begun, release = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        release.wait(10)
        return "slow"

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(memory.get, "slow", slow, size=len)
        assert begun.wait(10)
        assert pool.submit(memory.get, "quick", lambda: "quick", size=len).result(timeout=5) == "quick"
        assert not waiting.done()
        release.set()
        assert waiting.result(timeout=5) == "slow"


def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    memory = MemoryBudget()
    tries: list[int] = []

    def fail() -> int:
        tries.append(1)
        time.sleep(0.05)
        raise MemoryError

    def ask(make: Callable[[], int]) -> type[BaseException] | None:
        try:
            memory.get("key", make, size=lambda _: 1)
        except MemoryError:
            return MemoryError
        return None

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, [fail] * 8)) == [MemoryError] * 8
    assert len(tries) < 8
    assert memory.get("key", lambda: 5, size=lambda _: 1) == 5


class Owner:
    """Keeps something in a budget for as long as it lives."""

    def __init__(self, memory: MemoryBudget) -> None:
        self.memory, self.name = memory, object()
        weakref.finalize(self, memory.forget_all, of=self.name)


@pytest.mark.slow
def test_what_an_owner_kept_goes_with_it_even_while_room_is_made() -> None:
    memory = MemoryBudget(limit=50)

    def owner(number: int) -> Owner:
        made = memory.get(("model", number), lambda: Owner(memory), size=lambda _: 20)
        memory.get((made.name, 1), lambda: b"x" * 5, size=len)
        return made

    for number in range(20):
        owner(number)
    gc.collect()
    assert len(memory) == 4
    assert memory.used == 50
    assert [number for number in range(20) if ("model", number) in memory] == [18, 19]


@pytest.mark.parametrize("key", ["nothing", ("never", 1)])
def test_forgetting_what_is_not_kept_does_nothing(key: object) -> None:
    memory = MemoryBudget()
    memory.forget(key)
    assert memory.used == 0


def test_a_process_has_one() -> None:
    assert process_memory() is process_memory()
