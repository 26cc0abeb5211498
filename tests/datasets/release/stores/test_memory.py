"""A large image goes to a store, comes back and is packed without being held in memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.release.archives.pack import pack_release
from datasets.release.build import build_release
from datasets.release.stores.address import read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.upload import upload_release
from tests.datasets.release.samples import LARGE_BYTES, SETTINGS, write_large_case


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_no_step_holds_a_large_image(s3: str, tmp_path: Path) -> None:
    release = build_release([write_large_case(tmp_path)], SETTINGS, tmp_path / "releases").folder
    assert max(path.stat().st_size for path in release.rglob("*.nii.gz")) > LARGE_BYTES
    home = read_address(s3)
    steps = {
        "upload": lambda: upload_release(release, home),
        "fetch": lambda: fetch_release(home.below(release.name), tmp_path / "back"),
        "folder": lambda: upload_release(release, read_address(str(tmp_path / "published"))),
        "pack": lambda: pack_release(release, tmp_path / "packed"),
    }
    peaks = {name: _peak(step) for name, step in steps.items()}
    assert max(peaks.values()) < LARGE_BYTES, peaks
