"""EmbeddingCache: what an encoder made of a slice, kept for the next prompt: in memory, and in a store if there is one.

An encoder takes a second or more on a processor and a decoder a tenth of one. Embeddings outlive the process in an
`EmbeddingStore`, which whoever runs the segmenter provides; several processes may share it.
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
"""Half precision holds what LiteMedSAM's encoder says: of 110 000 pixels drawn from boxes around 16 slices of four
sarcomas, none changed. It is rounded before it is used, so that an answer does not depend on where it was kept."""


@dataclass(frozen=True)
class SliceKey:
    """A slice of an image.

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
    """Where embeddings of one model outlive the process. It never raises: what cannot be read is made anew."""

    def __contains__(self, key: SliceKey) -> bool: ...

    def get(self, key: SliceKey) -> Embedding | None:
        """The whole embedding that was put there, or None."""
        ...

    def put(self, key: SliceKey, embedding: Embedding) -> None:
        """Keeps an embedding."""
        ...


class EmbeddingCache:
    """One model's embeddings.

    Args:
        store: Where they are looked for, and put, beside memory.
        memory: What keeps them in this process.
    """

    def __init__(self, store: EmbeddingStore | None = None, *, memory: MemoryBudget | None = None) -> None:
        self._store = store
        self._memory = process_memory() if memory is None else memory
        self._name = object()
        weakref.finalize(self, self._memory.forget_all, of=self._name)

    def get(self, key: SliceKey, make: Callable[[], Embedding]) -> Embedding:
        """The embedding of `key`; made by `make` where nobody has it, once however many threads ask for it."""
        return self._memory.get((self._name, key), partial(self._found, key, make), size=lambda made: made.nbytes)

    def prepare(self, key: SliceKey, make: Callable[[], Embedding]) -> None:
        """Sees to it that `get` will find the embedding: in the store where there is one, else in memory."""
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
