"""EmbeddingCache: what an encoder made of a slice, kept for the next prompt; bounded, and safe among threads."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Embedding = TypeVar("Embedding")
Key = tuple[str, str, int, int]

CACHED_SLICES = 64
"""Slices kept: 64 of LiteMedSAM's embeddings are 256 MiB, more than one case's tumour spans."""


class EmbeddingCache(Generic[Embedding]):
    """The most recently used embeddings.

    Args:
        capacity: How many are kept.
    """

    def __init__(self, capacity: int = CACHED_SLICES) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Key, Embedding] = OrderedDict()
        self._making: dict[Key, Lock] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, make: Callable[[], Embedding]) -> Embedding:
        """The embedding of `key`; made by `make` where it is not kept, once however many threads ask for it."""
        with self._lock:
            if (found := self._found(key)) is not None:
                return found
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if (found := self._found(key)) is not None:
                    return found
            try:
                made = make()
                self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return made

    def _found(self, key: Key) -> Embedding | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: Key, made: Embedding) -> None:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
