"""Memory that one step of a fit frees is kept for the next one, and given back when the fit ends.

The C library gives large blocks back to the system at once, and the system hands out the same ones again, page by page
and filled with zeros: a twelfth of the time of a step of a 3D U-Net on a processor. The largest use of memory stays.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Numbers of glibc's settings (malloc.h)."""

_AS_BEFORE = {_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26}
"""What glibc uses by itself once it has seen large blocks."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """A block within which freed memory stays with the process; without an effect where the C library is another."""
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for setting, value in _AS_BEFORE.items():
            library.mallopt(setting, value)
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _glibc() -> Any:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
