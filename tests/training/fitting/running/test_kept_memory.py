"""Memory that a fit frees stays with it, and goes back to the system when the fit ends."""

import multiprocessing
import platform
import resource
from concurrent.futures import ProcessPoolExecutor

import psutil
import pytest
import torch

from training.fitting.running.kept_memory import kept_memory

BYTES = 2**28

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="its settings are glibc's")


def filled() -> int:
    """Fills a large block and frees it; pages that the system handed out for it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(BYTES, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


def measured() -> tuple[int, int, int]:
    """Pages handed out for a block outside, and for one that was freed before, and bytes given back at the end."""
    outside = filled()
    with kept_memory():
        filled()
        again = filled()
        held = resident()
    return outside, again, held - resident()


def test_a_freed_block_is_used_again_and_given_back_at_the_end() -> None:
    # In a process of its own: where another test has left holes, the block may not fit again where it was.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        outside, again, given_back = alone.submit(measured).result()
    assert outside > 50 * max(again, 1)
    assert given_back > BYTES // 2


def fitted_badly() -> None:
    with kept_memory():
        filled()
        raise KeyError


def test_it_is_given_back_where_a_fit_fails() -> None:
    before = resident()
    with pytest.raises(KeyError):
        fitted_badly()
    assert resident() - before < BYTES // 2
    assert filled() > 100
