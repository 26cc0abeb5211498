"""Slices in short: runs without a gap, whatever order the indices come in."""

import pytest

from datasets.pictures.slice_runs import SliceRun, in_short, runs_of


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ([], ""),
        ([4], "4"),
        ([3, 4], "3–4"),
        ([22, *range(3, 18)], "3–17, 22"),
        ([0, 2, 4], "0, 2, 4"),
        ([5, 5, 6, 4], "4–6"),
    ],
)
def test_slices_in_short(indices: list[int], words: str) -> None:
    assert in_short(indices) == words


def test_a_run_begins_and_ends_with_slices_that_are_in_it() -> None:
    assert runs_of({7, 8, 9, 12}) == [SliceRun(7, 9), SliceRun(12, 12)]
