"""The DICOM series that a case's mask was drawn on, found in a folder of de-identified ones.

A release names no series: identifiers of a scanner's files are in none of its own. What is sure is that the drawn image
was never interpolated: a series with the same voxels on the same grid is its source. One with other numbers on the same
grid (an image that was corrected on the way) is taken where no other series and no other case could be meant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import numpy as np
from pydicom import Dataset

from datasets.dicom.file import looks_like_dicom, read_dataset, text
from datasets.dicom.header import SliceHeader, read_header
from datasets.dicom_series.series import DicomSeries, group_series, read_series, series_grid
from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras, from_ras
from datasets.image.volume import Grid, Volume

_SAME_TO = 1e-4
"""How far the numbers of one image may lie apart, as a part of the largest: what float32 loses on the way."""


_REMOVED = "PatientIdentityRemoved"


class FoundBy(Enum):
    """How sure it is that a series is the source."""

    VOXELS = auto()
    """It has the same numbers on the same grid."""

    GRID = auto()
    """It is the only one on the case's grid, which no other case lies on."""


@dataclass(frozen=True)
class FoundSeries:
    """A series with its grid.

    Args:
        series: The series.
        grid: Where its voxels lie.
        found_by: How it was found.
    """

    series: DicomSeries
    grid: Grid
    found_by: FoundBy = FoundBy.GRID

    def headers(self) -> list[Dataset]:
        """Headers of the slices along k, without pixels."""
        return [read_dataset(header.path, keywords=[]) for header in self.series.slices]

    def on_its_grid(self, volume: Volume) -> Volume:
        """The same voxels in the order of the series' own axes."""
        turned = as_ras(volume)
        back = from_ras(turned.data, self.grid)
        return Volume(np.ascontiguousarray(back), self.grid)


@dataclass(frozen=True)
class SeriesFolder:
    """The series of a folder that a segmentation can refer to.

    Args:
        series: Those that are whole and lie on a grid, one file a slice.
    """

    series: tuple[FoundSeries, ...]

    def on(self, grid: Grid) -> list[FoundSeries]:
        """The series on a grid, whatever the order of its axes."""
        wanted = _ras(grid)
        return [each for each in self.series if _ras(each.grid).matches(wanted)]


def read_series_folder(folder: Path) -> SeriesFolder:
    """Reads the headers of all DICOM files below a folder; what cannot be read is none of its series.

    Raises:
        RejectedInput: There is no such folder (``dicom-folder``), or a series says who the patient is
            (``dicom-identified``).
    """
    if not folder.is_dir():
        raise RejectedInput("dicom-folder", "There is no folder of DICOM series.", remedy="Correct --dicom.")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    headers = [header for path in files for header in _headers(path)]
    found = [one for series in group_series(headers) for one in _on_a_grid(series)]
    for one in found:
        _refuse_identified(one.series)
    return SeriesFolder(tuple(found))


def source_of(drawn: Volume, folder: SeriesFolder, *, grids: Sequence[Grid]) -> FoundSeries | None:
    """The series that an image is.

    Args:
        drawn: The drawn image of a case.
        folder: Where to look.
        grids: Of all cases.

    Returns:
        None where none is it, or several could be.
    """
    candidates = folder.on(drawn.grid)
    same = [each for each in candidates if _is_same(each, drawn)]
    if len(same) == 1:
        return FoundSeries(same[0].series, same[0].grid, FoundBy.VOXELS)
    wanted = _ras(drawn.grid)
    cases = sum(_ras(grid).matches(wanted) for grid in grids)
    return candidates[0] if len(candidates) == 1 and cases == 1 and not same else None


def _headers(path: Path) -> Iterator[SliceHeader]:
    try:
        if looks_like_dicom(path):
            yield read_header(path)
    except (RejectedInput, OSError):
        return


def _on_a_grid(series: DicomSeries) -> Iterator[FoundSeries]:
    if any(header.is_frame for header in series.slices):
        return  # an enhanced object: a segmentation would refer to its frames, which highdicom wants otherwise
    try:
        yield FoundSeries(series, series_grid(series))
    except RejectedInput:
        return


def _refuse_identified(series: DicomSeries) -> None:
    said = {text(read_dataset(path, keywords=[_REMOVED]), _REMOVED) for path in series.files}
    if said != {"YES"}:
        raise RejectedInput(
            "dicom-identified",
            "A series of the folder is not said to be de-identified (Patient Identity Removed (0012,0062)); a "
            "segmentation copies patient and study from it.",
            remedy="Make a folder of de-identified series with deidentify_studies, and name that.",
        )


def _is_same(found: FoundSeries, drawn: Volume) -> bool:
    try:
        there = read_series(found.series)
    except RejectedInput:
        return False
    here = np.asarray(found.on_its_grid(drawn).data, dtype=np.float32)
    largest = float(np.abs(here).max(initial=0.0))
    return bool(np.abs(np.asarray(there.data, dtype=np.float32) - here).max(initial=0.0) <= _SAME_TO * largest)


def _ras(grid: Grid) -> Grid:
    """The grid with its axes to right, anterior, superior."""
    return as_ras(Volume(np.broadcast_to(np.uint8(0), grid.shape), grid)).grid
