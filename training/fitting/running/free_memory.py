"""How much memory is free for this process. Torch is imported for GPUs alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

_GROUP = Path("/sys/fs/cgroup")


def free_bytes(device: "torch.device | None" = None) -> int:
    """Bytes that are free on a device; None for the machine's own memory."""
    if device is not None and device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:  # a container may have less than its machine
        most, used = (int((_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        told = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return min(free, most - used + int(told["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return free
