"""The cache is bounded, keeps what was used last, and makes each thing once."""

import threading
import time

import pytest

from training.segmenters.embedding_cache import EmbeddingCache


def test_keeps_the_most_recently_used() -> None:
    cache = EmbeddingCache[int](capacity=2)
    made = []

    def get(index: int) -> int:
        return cache.get(("images", "t2", 2, index), lambda: made.append(index) or index * 10)

    assert [get(1), get(2), get(1), get(3), get(1), get(2)] == [10, 20, 10, 30, 10, 20]
    assert made == [1, 2, 3, 2]
    assert len(cache) == 2


def test_many_threads_make_an_embedding_once() -> None:
    cache = EmbeddingCache[int]()
    made, answers = [], []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return 7

    def ask() -> None:
        answers.append(cache.get(("images", "t2", 2, 0), make))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [7] * 16
    assert made == [1]


def test_a_failure_is_not_kept() -> None:
    cache = EmbeddingCache[int]()

    def fail() -> int:
        raise MemoryError

    for _ in range(2):
        with pytest.raises(MemoryError):
            cache.get(("images", "t2", 2, 0), fail)
    assert cache.get(("images", "t2", 2, 0), lambda: 5) == 5
