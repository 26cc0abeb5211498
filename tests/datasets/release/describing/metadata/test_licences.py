"""Addresses of licences."""

import pytest

from datasets.release.describing.metadata.licences import licence_address


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC-BY-5.0", ""),
        ("CC-BY-4.0 or so", ""),
        ("ours", ""),
    ],
)
def test_addresses(name: str, address: str) -> None:
    assert licence_address(name) == address
