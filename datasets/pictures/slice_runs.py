"""Slices by their indices, in short: those that follow each other as one run, such as 3–17, 22."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class SliceRun:
    """Slices that follow each other without a gap, from `first` to `last`, which are among them."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def runs_of(indices: Iterable[int]) -> list[SliceRun]:
    """The runs that slices make, in their order; an index that comes twice counts once."""
    found: list[SliceRun] = []
    for index in sorted(set(indices)):
        if found and found[-1].last == index - 1:
            found[-1] = SliceRun(found[-1].first, index)
        else:
            found.append(SliceRun(index, index))
    return found


def in_short(indices: Iterable[int]) -> str:
    """Slices in words of a page: ``3–17, 22``; nothing for none."""
    return ", ".join(map(str, runs_of(indices)))
