"""MemoryBudget: a least-recently-used cache of loaded and computed values, bounded in bytes; thread-safe.

One budget serves a whole process (`process_memory`): images, models, embeddings and canvases share its bytes, and the
least recently used value is dropped first, whatever it is.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import cache
from threading import RLock
from typing import Any, TypeVar

Value = TypeVar("Value")

DEFAULT_BYTES = 1 << 30
"""Bytes kept by a process without a setting."""

_LOG = logging.getLogger(__name__)


class MemoryBudget:
    """The most recently used values, up to a number of bytes.

    Args:
        limit: Most bytes; values that are being made or used come on top.
    """

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, Future[Any]] = {}
        self._used = 0
        self._lock = RLock()  # dropping a value may run a finaliser that drops others

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    @property
    def used(self) -> int:
        """Bytes that are kept in memory now."""
        return self._used

    @property
    def limit(self) -> int:
        """Bytes kept at most."""
        return self._limit

    def set_limit(self, limit: int) -> None:
        """Sets the limit, and drops values beyond it."""
        with self._lock:
            self._limit = limit
            self._make_room()

    def get(self, key: Hashable, make: Callable[[], Value], *, size: Callable[[Value], int]) -> Value:
        """The value of `key`, made if it is not kept: once, however many threads ask, and without blocking other keys.

        Args:
            key: Key of the value, unique in the process; its first part names the kind of value.
            make: Makes the value; an error it raises reaches all threads that wait. It must not ask for the same key.
            size: Bytes of a value.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                value: Value = self._kept[key][0]
                return value
            making = self._making.get(key)
            if making is None:
                mine = self._making[key] = Future()
        if making is not None:
            waited: Value = making.result()
            return waited
        return self._made(key, make, size, future=mine)

    def forget(self, key: Hashable) -> None:
        """Drops a value, if it is kept."""
        with self._lock:
            self._used -= self._kept.pop(key, (None, 0))[1]

    def forget_all(self, *, of: Hashable) -> None:
        """Drops all values whose keys are tuples that begin with `of`."""
        with self._lock:
            for key in [key for key in list(self._kept) if isinstance(key, tuple) and key[:1] == (of,)]:
                self.forget(key)

    def _made(
        self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int], *, future: "Future[Any]"
    ) -> Value:
        try:
            made = make()
            needed = size(made)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, made, needed)
        future.set_result(made)
        return made

    def _keep(self, key: Hashable, made: object, needed: int) -> None:
        if needed > self._limit:
            sizes = needed >> 20, self._limit >> 20
            _LOG.warning("A value of %d MB does not fit into %d MB of memory; it is made again at each use", *sizes)
            return
        self._kept[key] = (made, needed)
        self._used += needed
        self._make_room()

    def _make_room(self) -> None:
        while self._used > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._used -= freed


@cache
def process_memory() -> MemoryBudget:
    """The cache of this process."""
    return MemoryBudget()
