"""An embedding is made once, looked for in the store first, and prepared without being kept twice."""

import gc

import numpy as np
import pytest
from numpy.typing import NDArray

from training.memory import MemoryBudget
from training.segmenters.boxes.embedding_cache import EmbeddingCache, SliceKey

KEY = SliceKey("images", "t2", 2, 0)


class Shelf:
    """A store in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[SliceKey, NDArray[np.float16]] = {}

    def __contains__(self, key: SliceKey) -> bool:
        return key in self.kept

    def get(self, key: SliceKey) -> NDArray[np.float16] | None:
        return self.kept.get(key)

    def put(self, key: SliceKey, embedding: NDArray[np.float16]) -> None:
        self.kept[key] = embedding


class Encoder:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> NDArray[np.float16]:
        self.asked += 1
        return np.full((1, 2), self.asked, np.float16)


def test_made_once_in_memory() -> None:
    memory, encoder = MemoryBudget(), Encoder()
    cache = EmbeddingCache(memory=memory)
    assert cache.get(KEY, encoder) is cache.get(KEY, encoder)
    assert (encoder.asked, memory.used) == (1, 4)


def test_a_store_outlives_the_cache_and_is_shared() -> None:
    shelf, encoder = Shelf(), Encoder()
    EmbeddingCache(shelf, memory=MemoryBudget()).get(KEY, encoder)
    again = EmbeddingCache(shelf, memory=MemoryBudget()).get(KEY, encoder)
    assert encoder.asked == 1
    assert (again == 1).all()


def test_preparing_fills_the_store_and_leaves_memory_alone() -> None:
    shelf, encoder, memory = Shelf(), Encoder(), MemoryBudget()
    cache = EmbeddingCache(shelf, memory=memory)
    cache.prepare(KEY, encoder)
    cache.prepare(KEY, encoder)
    assert (encoder.asked, len(memory), list(shelf.kept)) == (1, 0, [KEY])
    EmbeddingCache(memory=memory).prepare(KEY, encoder)
    assert encoder.asked == 2


@pytest.mark.slow
def test_two_models_do_not_see_each_others_and_leave_nothing_behind() -> None:
    memory = MemoryBudget()
    one, other = EmbeddingCache(memory=memory), EmbeddingCache(memory=memory)
    first, second = Encoder(), Encoder()
    one.get(KEY, first)
    other.get(KEY, second)
    assert (first.asked, second.asked, len(memory)) == (1, 1, 2)
    del one
    gc.collect()
    assert len(memory) == 1
