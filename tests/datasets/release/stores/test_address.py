"""Addresses: what they name, and those that are refused without being repeated."""

from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.release.stores.address import Address, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/srv/releases", Address("file", "/srv/releases")),
        ("releases", Address("file", "releases")),
        ("~/releases", Address("file", str(Path("~/releases").expanduser()))),
        ("file:///srv/a%20b", Address("file", "/srv/a b")),
        ("s3://bucket", Address("s3", "bucket")),
        ("S3A://bucket/a b/c/", Address("s3", "bucket/a b/c")),
        ("https://example.org/data/thigh-1.0.0/", Address("https", "example.org/data/thigh-1.0.0")),
        ("sftp://jane@example.org/srv", Address("sftp", "jane@example.org/srv")),
        ("memory://x", Address("memory", "x")),
        ("http://[::1]:8000/x", Address("http", "[::1]:8000/x")),
        ("http://127.0.0.1:8000/x", Address("http", "127.0.0.1:8000/x")),
    ],
)
def test_an_address_names_one_place(text: str, address: Address) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "address-unreadable"),
        ("  ", "address-unreadable"),
        ("s3://", "address-unreadable"),
        ("s3:///", "address-unreadable"),
        ("s3://bucket/a\u202eb", "address-unreadable"),
        ("s3://bucket/a\nb", "address-unreadable"),
        (r"C:\releases", "address-unreadable"),
        ("http://[::1/x", "address-unreadable"),
        ("s3://AKIA:tops3cret@bucket/x", "address-secret"),
        ("sftp://jane:tops3cret@example.org/x", "address-secret"),
        ("sftp://jane%3Atops3cret@example.org/x", "address-secret"),
        ("https://jane:tops3cret@example.org:443/x", "address-secret"),
        ("https://:tops3cret@example.org/x", "address-secret"),
        ("https://example.org/x?sig=tops3cret", "address-parts"),
        ("s3://bucket/x#tops3cret", "address-parts"),
        ("simplecache::s3://bucket/tops3cret", "address-parts"),
        ("zip://x::s3://bucket/tops3cret", "address-parts"),
    ],
)
def test_others_are_refused_and_not_repeated(text: str, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        read_address(text)
    assert refusal.value.code == code
    assert "tops3cret" not in str(refusal.value)


def test_a_name_is_put_below() -> None:
    assert str(read_address("s3://bucket/").below("thigh-1.0.0")) == "s3://bucket/thigh-1.0.0"
    assert str(read_address("/srv/").below("thigh-1.0.0")) == "/srv/thigh-1.0.0"
