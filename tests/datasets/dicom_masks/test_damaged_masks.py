"""Damaged structure sets, segmentations and enhanced objects: read, or refused by name; never another error."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol
from tests.datasets.dicom_masks.test_segmentation import write_segmentation
from tests.datasets.support.enhanced_files import stack, write_enhanced

GRID = Grid((8, 7, 4), np.diag([-0.8, -1.25, 4.0, 1.0]))
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=4, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
DATA = (np.random.default_rng(0).random(GRID.shape) > 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> DicomSeries:
    folder = tmp_path_factory.mktemp("image")
    return write_protocol(folder, PROTOCOL, DATA.astype(np.uint16), GRID, identity=["damage", "A"], name="A^B^^^")


@pytest.fixture(scope="module")
def whole(series: DicomSeries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one whole file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    write_rtstruct(folder / "rtstruct", {"GTV": Mask(DATA, GRID)}, series)
    sources = [dcmread(path) for path in series.files]
    write_segmentation(folder / "seg", {"GTV": DATA}, sources)
    write_segmentation(folder / "labelmap", {"GTV": DATA}, sources, kind="LABELMAP")
    write_enhanced(folder / "enhanced", stack(GRID, DATA.astype(np.uint16)), identity=["damage", "A"])
    return folder


READERS: dict[str, Callable[[Path, DicomSeries], object]] = {
    "rtstruct": read_structure_set,
    "seg": read_segment_set,
    "labelmap": read_segment_set,
    "enhanced": lambda path, series: [read_series(found) for found in group_series([read_header(path)])],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_no_damage_raises_anything_else(whole: Path, series: DicomSeries, kind: str) -> None:
    content = (whole / kind).read_bytes()
    assert READERS[kind](whole / kind, series), "whole, it is read"

    @settings(max_examples=150, deadline=None)
    @given(
        place=st.integers(140, len(content) - 1),
        piece=st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from([b"\0", b"\xff" * 4, b"-", b"9" * 12])),
        cut=st.sampled_from([0] * 9 + [1, 2, 8]),
    )
    def damage(place: int, piece: bytes, cut: int) -> None:
        damaged = whole / f"{kind}.damaged"
        damaged.write_bytes(content[:place] + piece + content[place + len(piece) + cut :])
        with suppress(RejectedInput):
            READERS[kind](damaged, series)

    damage()
