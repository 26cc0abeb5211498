"""What a training was made with: code, software and kind of machine; no name of a machine, person or folder."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from annotation_backend.machine import cores, has_gpu, memory_bytes

SOFTWARE = ("torch", "monai", "numpy", "scipy", "openvino", "torchio", "django")
"""Distributions whose versions are recorded, where they are installed."""

_ROOT = Path(__file__).resolve().parents[3]
_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT_SECONDS = 5.0


def code() -> dict[str, str]:
    """The version of Maskloop; its commit as well, where it runs in a checkout, and whether that was changed since."""
    found = {"version": _version("maskloop")}
    if (commit := _git("rev-parse", "HEAD")) and _COMMIT.fullmatch(commit):
        found["commit"] = commit
        found["changed"] = "yes" if _git("status", "--porcelain", "--untracked-files=no") else "no"
    return found


def environment() -> dict[str, str | int]:
    """Software and machine of this process, as plain values."""
    versions = {name: _version(name) for name in SOFTWARE}
    return {
        "python": platform.python_version(),
        **{name: version for name, version in versions.items() if version},
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "threads": _threads(),
        "memory_gib": round(memory_bytes() / 2**30),
        "gpu": "yes" if has_gpu() else "no",
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    """The processor's kind, such as ``AMD EPYC 7B13``; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _threads() -> int:
    """Threads with which networks are trained, as torch takes them."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else cores()


def _git(*words: str) -> str:
    """What git says of the checkout; empty where there is none, or no git."""
    if not (_ROOT / ".git").exists():
        return ""
    try:
        told = subprocess.run(  # noqa: S603 (words of this module alone)
            ["git", "-C", str(_ROOT), *words],  # noqa: S607 (whatever git there is)
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
