"""EmbeddingCache: embeddings of slices, kept for the next prompt in memory, and in a store if there is one.

An encoder takes a second or more on a processor and a decoder a tenth of one. Embeddings outlive the process in an
`EmbeddingStore`, which the segmenter's caller provides; several processes may share it.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.memory import MemoryBudget, process_memory

Embedding = NDArray[np.float16]
"""Half precision is enough for LiteMedSAM's encoder: of 110 000 pixels drawn from boxes around 16 slices of four
sarcomas, none changed. It is rounded before it is used, so that an answer does not depend on the cache."""


@dataclass(frozen=True)
class SliceKey:
    """Key of a slice's embedding.

    Args:
        images: The request's cache key.
        target: Which of its images.
        axis: The grid axis through the slices.
        index: Along `axis`.
    """

    images: str
    target: str
    axis: int
    index: int


class EmbeddingStore(Protocol):
    """Persistent embeddings of one model. It never raises: an embedding that cannot be read is made again."""

    def __contains__(self, key: SliceKey) -> bool: ...

    def get(self, key: SliceKey) -> Embedding | None:
        """The stored embedding, or None."""
        ...

    def put(self, key: SliceKey, embedding: Embedding) -> None:
        """Stores a slice's embedding."""
        ...


class EmbeddingCache:
    """One model's embeddings.

    Args:
        store: Persistent store, beside memory.
        memory: Memory of this process that keeps them.
    """

    def __init__(self, store: EmbeddingStore | None = None, *, memory: MemoryBudget | None = None) -> None:
        self._store = store
        self._memory = process_memory() if memory is None else memory
        self._name = object()
        weakref.finalize(self, self._memory.forget_all, of=self._name)

    def get(self, key: SliceKey, make: Callable[[], Embedding]) -> Embedding:
        """The embedding of `key`; made by `make` if it is not cached, once however many threads ask for it."""
        return self._memory.get((self._name, key), partial(self._found, key, make), size=lambda made: made.nbytes)

    def prepare(self, key: SliceKey, make: Callable[[], Embedding]) -> None:
        """Makes sure that the embedding is cached: in the store if there is one, else in memory."""
        if self._store is None:
            self.get(key, make)
        elif key not in self._store:
            self._found(key, make)

    def _found(self, key: SliceKey, make: Callable[[], Embedding]) -> Embedding:
        stored = None if self._store is None else self._store.get(key)
        if stored is not None:
            return stored
        made = make()
        if self._store is not None:
            self._store.put(key, made)
        return made
