"""Parts of a download that a browser asks for."""

import pytest

from annotation_backend.publishing.ranges import Part, part_asked_for


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({}, Part(0, 100, is_whole=True)),
        ({"Range": "bytes=0-99"}, Part(0, 100, is_whole=False)),
        ({"Range": "bytes=40-"}, Part(40, 100, is_whole=False)),
        ({"Range": "bytes=40-1000"}, Part(40, 100, is_whole=False)),
        ({"Range": "bytes=-30"}, Part(70, 100, is_whole=False)),
        ({"Range": "bytes=-300"}, Part(0, 100, is_whole=False)),
        ({"Range": "bytes=100-"}, None),
        ({"Range": "bytes=-0"}, None),
        ({"Range": f"bytes={10**30}-"}, None),
        ({"Range": f"bytes=90-{10**30}"}, Part(90, 100, is_whole=False)),
        ({"Range": f"bytes=-{10**30}"}, Part(0, 100, is_whole=False)),
        ({"Range": "Bytes=0-9"}, Part(0, 10, is_whole=False)),
        ({"Range": "bytes=9-3"}, Part(0, 100, is_whole=True)),
        ({"Range": "bytes=-"}, Part(0, 100, is_whole=True)),
        ({"Range": "bytes=0-1,5-6"}, Part(0, 100, is_whole=True)),
        ({"Range": "lines=0-1"}, Part(0, 100, is_whole=True)),
        ({"Range": "bytes=\u0663-"}, Part(0, 100, is_whole=True)),
        ({"Range": "bytes=0-9", "If-Range": '"a"'}, Part(0, 10, is_whole=False)),
        ({"Range": "bytes=0-9", "If-Range": '"b"'}, Part(0, 100, is_whole=True)),
    ],
)
def test_a_part_is_what_was_asked_for(asked: dict[str, str], part: Part | None) -> None:
    assert part_asked_for(asked, size=100, etag='"a"') == part
