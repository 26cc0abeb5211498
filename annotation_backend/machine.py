"""Cores, memory and GPU of this machine, and how the processes of one installation share them."""

import os
from pathlib import Path

from django.conf import settings

GPU_DEVICE = Path("/dev/nvidiactl")
"""This file is there if an NVIDIA GPU can be used; asking torch would cost seconds at every start."""

CACHE_SHARE = 4
"""The web processes and the worker together keep one part in so many of the memory; the rest is for what they do."""

LEAST_CACHE_BYTES = 512 << 20
MOST_CACHE_BYTES = 8 << 30

MOST_WEB_PROCESSES = 8

WEB_PROCESS_BYTES = 4 << 30
"""Memory of the machine for each web process: it takes 1.8 GB with all shipped models, and the others need theirs."""

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container says how much memory it has, by cgroups' second and first version: bytes, or a word for none."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Memory of the machine, or of the container where that has less."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUP_LIMITS:
        try:
            found = min(found, int(path.read_text()))
        except (OSError, ValueError):
            continue
    return found


def has_gpu() -> bool:
    """Whether models run on a GPU here."""
    return os.environ.get("MASKLOOP_DEVICE", "cuda") == "cuda" and GPU_DEVICE.exists()


def web_processes() -> int:
    """Processes of the web service: `MASKLOOP_WEB_PROCESSES`, else one a core as far as memory goes, one on a GPU."""
    if settings.WEB_PROCESSES > 0:
        return int(settings.WEB_PROCESSES)
    return 1 if has_gpu() else max(1, min(cores(), memory_bytes() // WEB_PROCESS_BYTES, MOST_WEB_PROCESSES))


def inference_threads() -> int:
    """Threads with which one answer is computed: the cores, shared out among the web processes.

    torch and OpenVINO take them from OMP_NUM_THREADS when they are imported. They are not changed later: another number
    of threads trains another model.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return int(settings.INFERENCE_THREADS) or max(1, cores() // web_processes())


def cache_bytes() -> int:
    """Bytes that one process keeps of images, models, embeddings and canvases: `MASKLOOP_CACHE_MB`, else its share."""
    if settings.CACHE_MB > 0:
        return int(settings.CACHE_MB) << 20
    share = memory_bytes() // CACHE_SHARE // (web_processes() + 1)
    return max(LEAST_CACHE_BYTES, min(share, MOST_CACHE_BYTES))
