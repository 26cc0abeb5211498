"""Stacks whose positions were rounded are read where they lie, turned as they are; uneven ones are still refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.dicom.header import SliceHeader, read_header
from datasets.dicom_series.series import group_series, series_grid
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=2, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
TO_RAS = np.diag([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> SliceHeader:
    grid = Grid((8, 10, 2), np.diag([-0.8, -1.1, 4.0, 1.0]))
    pixels = np.zeros(grid.shape, np.uint16)
    series = write_protocol(tmp_path_factory.mktemp("s"), PROTOCOL, pixels, grid, identity=["s", "CANARY-ID"], name="C")
    return read_header(series.files[0])


def _directions(angles: tuple[float, ...]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    return turn


def _stack(
    header: SliceHeader, turn: NDArray[np.float64], places: NDArray[np.float64], decimals: int
) -> list[SliceHeader]:
    """Slices at these millimetres along the normal, with directions of six decimals and positions of so many."""
    start = np.array([-60.31, -80.77, -100.24])
    row, column = np.round(turn[:, 0], 6), np.round(turn[:, 1], 6)
    return [
        replace(
            header,
            sop_instance_uid=f"1.2.{k}",
            instance_number=k + 1,
            position=tuple(np.round(start + turn[:, 2] * place, decimals).tolist()),
            row_direction=tuple(row.tolist()),
            column_direction=tuple(column.tolist()),
        )
        for k, place in enumerate(places)
    ]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-1.5, 1.5)] * 3),
    count=st.integers(3, 60),
    step=st.floats(1.0, 9.0),
    decimals=st.integers(1, 6),
)
def test_a_stack_with_rounded_positions_is_read_where_it_lies(
    header: SliceHeader, angles: tuple[float, ...], count: int, step: float, decimals: int
) -> None:
    turn = _directions(angles)
    (series,) = group_series(_stack(header, turn, np.arange(count) * step, decimals))
    grid = series_grid(series)
    assert grid.shape == (8, 10, count)
    assert grid.is_orthogonal
    start = np.array([-60.31, -80.77, -100.24])
    expected = np.array([start + turn[:, 2] * k * step for k in range(count)]) @ TO_RAS
    found = grid.to_world(np.column_stack([np.zeros((count, 2)), np.arange(count)]))
    rounding = 0.5 * 10.0**-decimals  # of a coordinate; steps are measured along the normal, between two roundings
    assert np.abs(found - expected).max() <= (1 + 2 * 3**0.5) * rounding + 1e-3 + 1e-5 * count * step


@settings(max_examples=100, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-1.5, 1.5)] * 3),
    count=st.integers(6, 40),
    step=st.floats(1.5, 9.0),
    decimals=st.integers(1, 6),
    which=st.integers(1, 100),
    share=st.floats(0.3, 0.7),
    missing=st.booleans(),
)
def test_an_uneven_or_gappy_stack_is_refused_however_its_positions_are_rounded(
    header: SliceHeader, angles: tuple[float, ...], count: int, step: float, decimals: int, which: int, share: float,
    missing: bool,
) -> None:  # fmt: skip
    places = np.arange(count) * step
    at = which % (count - 2) + 1
    if missing:
        assume(count > 6)
        places = np.delete(places, at)
    else:
        places[at] += share * step
    found = group_series(_stack(header, _directions(angles), places, decimals))
    with pytest.raises(RejectedInput) as caught:
        series_grid(found[0])
    # a slice that moved half a step may leave a gap that looks like a missing one
    assert caught.value.code in ("series-missing-slices", *([] if missing else ["series-uneven-slices"]))


def test_halves_of_a_stack_with_rounded_positions_are_still_known_as_halves(header: SliceHeader) -> None:
    whole = _stack(header, _directions((0.2, -0.12, 0.05)), np.arange(20) * 4.4, 1)
    found = group_series([replace(one, series_uid=f"1.2.3.{k % 2}") for k, one in enumerate(whole)])
    assert all("series-split" in [finding.code for finding in series.findings] for series in found)
