"""The benchmark of verifying measures every way, and no release that is not sound."""

from pathlib import Path

import pytest

from benchmarks.releases.verifying import verifying_rates
from datasets.release.build import build_release
from tests.datasets.release.samples import SETTINGS, write_case


def test_every_way_has_a_rate(tmp_path: Path) -> None:
    release = build_release([write_case(tmp_path, 1)], SETTINGS, tmp_path).folder
    found = verifying_rates(release, rounds=1)
    assert len(found.by_way) == 5
    assert all(rate > 0 for rate in (*found.by_way.values(), found.ratio))
    (release / "README.md").write_text("other")
    with pytest.raises(RuntimeError, match="not sound"):
        verifying_rates(release, rounds=1)
