"""Waiting for other processes."""

import time
from collections.abc import Callable
from typing import Any


def eventually(found: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `found` gives as soon as it is true; fails where that takes longer."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)
    return value
