"""The settings of a release."""

import pytest

from datasets.errors import RejectedInput
from datasets.release.settings import version_key

ORDERED = ["0.0.1", "0.1.0", "0.9.0", "0.10.0", "1.0.0-alpha.1", "1.0.0-beta.1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0"]


def test_versions_are_ordered_as_numbers_with_candidates_first() -> None:
    assert sorted(sorted(ORDERED), key=version_key) == ORDERED


@pytest.mark.parametrize("version", ["", "1", "1.0", "1.0.0.0", "1.0.0-", "1.0.0-rc", "1.0.0+x", "1.0.-1", " 1.0.0"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(RejectedInput, match="release-version"):
        version_key(version)
