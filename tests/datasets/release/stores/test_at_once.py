"""Work on many files at once: each once, and none begun after an error."""

import threading

import pytest

from datasets.release.stores.at_once import each_at_once
from datasets.release.stores.running_total import RunningTotal


@pytest.mark.parametrize("threads", [1, 4])
def test_each_is_done_once(threads: int) -> None:
    done: list[str] = []
    each_at_once(done.append, map(str, range(100)), threads=threads)
    assert sorted(done, key=int) == [str(number) for number in range(100)]


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_ends_it(threads: int) -> None:
    begun: list[str] = []

    def work(path: str) -> None:
        begun.append(path)
        if path == "10":
            raise KeyError(path)

    with pytest.raises(KeyError, match="10"):
        each_at_once(work, map(str, range(100_000)), threads=threads)
    assert len(begun) < 100_000


def test_no_byte_is_lost_in_the_count() -> None:
    shown: list[tuple[int, int]] = []
    count = RunningTotal(5, 4005, lambda done, total: shown.append((done, total)))
    threads = [threading.Thread(target=lambda: [count.add(1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown == [(done, 4005) for done in range(6, 4006)]
