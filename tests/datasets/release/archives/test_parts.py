"""Files in archives of a size: all of them, once, in order, none larger than allowed."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.archives.zip_writing import Archive, ArchivedFile
from datasets.errors import RejectedInput
from datasets.release.archives.parts import archive_names, split


def _files(sizes: list[int]) -> list[ArchivedFile]:
    return [ArchivedFile(b"x" * size, f"r-1/{number}", size).with_checksum() for number, size in enumerate(sizes)]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=20), most=st.integers(3300, 9000))
def test_each_part_is_small_enough_and_together_they_are_all(sizes: list[int], most: int) -> None:
    files = _files(sizes)
    parts = split(files, most)
    assert [file for part in parts for file in part] == files
    assert all(part and Archive(part).size <= most for part in parts)
    assert all(
        Archive([*part, following[0]]).size > most - 28 * (len(part) + 1) - 76 for part, following in pairwise(parts)
    ), "the next file would have fitted"


def test_without_a_size_all_is_one() -> None:
    files = _files([1, 2, 3])
    assert split(files, None) == (tuple(files),)


def test_a_file_that_fits_in_no_part_is_said_with_the_size_that_is_needed() -> None:
    files = _files([10, 5000, 10])
    with pytest.raises(RejectedInput, match="part-size") as refusal:
        split(files, 4000)
    least = int(refusal.value.remedy.split("at least ")[1].split()[0])
    assert len(split(files, least)) <= 3
    with pytest.raises(RejectedInput):
        split(files, least - 1)


@pytest.mark.parametrize(
    ("count", "names"),
    [(1, ["r-1.zip"]), (2, ["r-1-part-01-of-02.zip", "r-1-part-02-of-02.zip"]), (100, ["r-1-part-001-of-100.zip"])],
)
def test_names_sort_as_they_count(count: int, names: list[str]) -> None:
    found = archive_names("r-1", count)
    assert list(found[: len(names)]) == names
    assert list(found) == sorted(found)
