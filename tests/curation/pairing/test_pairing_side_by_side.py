"""Series beside each other: ties are asked about, visits and parts of the body kept apart, lesser ones set aside."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.pairing.pairing import MARGIN, pair_series
from curation.scanning.scan import scan_folder
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import GRID, T1, T2, codes, edit, pairing_of, references, write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ([(replace(T1, description="AX T1 repeated"), "1")], "ambiguous-t1"),
        ([(replace(T2, description="AX T2 FS repeated"), "1")], "ambiguous-t2"),
        (
            [(replace(T1, description="AX T1 repeated"), "1"), (replace(T2, description="AX T2 FS repeated"), "1")],
            "ambiguous-pair",
        ),
        ([(T1, "2"), (T2, "2")], "several-studies"),
    ],
)
def test_a_tie_is_asked_about(tmp_path: Path, extra: list[tuple[Protocol, str]], code: str) -> None:
    write(tmp_path, T1)
    write(tmp_path, T2)
    for protocol, visit in extra:
        write(tmp_path, protocol, visit=visit)
    pairing = pairing_of(tmp_path)
    assert pairing.pairs == ()
    assert codes(pairing) == [code]
    assert pairing.patients[0].is_question
    points = {"ambiguous-t1": (2, 1), "ambiguous-t2": (1, 2)}.get(code, (2, 2))
    message = pairing.findings[0].message
    assert (message.count("(8 points)"), message.count("(11 points)")) == points


def test_one_study_is_preferred_and_two_are_told(tmp_path: Path) -> None:
    write(tmp_path, T1, visit="1")
    write(tmp_path, T2, visit="1")
    write(tmp_path, T1, visit="2")
    (pair,) = pairing_of(tmp_path).pairs
    assert pair.chosen["t1"].series.study_key == pair.chosen["t2"].series.study_key
    shutil.rmtree(tmp_path / "CANARY-1" / "1" / "AX_T1")
    (pair,) = pairing_of(tmp_path).pairs
    assert [finding.code for finding in pair.findings] == ["different-studies"]


def test_two_studies_of_different_days_are_asked_about(tmp_path: Path) -> None:
    write(tmp_path, T1, visit="1")
    home = write(tmp_path, T2, visit="2")
    assert len(pairing_of(tmp_path).pairs) == 1
    for name in ("StudyDate", "SeriesDate"):
        edit(home, lambda dataset, name=name: setattr(dataset, name, "20200807"))
    pairing = pairing_of(tmp_path)
    assert (pairing.pairs, codes(pairing)) == ((), ["different-studies"])


def test_two_that_show_different_parts_of_the_body_are_no_pair(tmp_path: Path) -> None:
    elsewhere = Grid(GRID.shape, np.array([[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 4, 200], [0, 0, 0, 1]]))
    write(tmp_path, T1)
    write(tmp_path, T2, grid=elsewhere)
    pairing = pairing_of(tmp_path)
    assert (pairing.pairs, codes(pairing)) == ((), ["no-overlap"])
    chosen = {
        role: references(tmp_path)[protocol.description] for role, protocol in zip(("t1", "t2"), (T1, T2), strict=True)
    }
    (pair,) = pair_series(scan_folder(tmp_path, protocol=MSTT), choices={"CANARY-1": chosen}, protocol=MSTT).pairs
    assert [finding.code for finding in pair.findings] == ["no-overlap"]


def test_of_two_stations_the_one_with_both_is_taken(tmp_path: Path) -> None:
    station = np.array([[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 4, 40], [0, 0, 0, 1]])
    write(tmp_path, T1)
    write(tmp_path, replace(T1, description="AX T1 distal"), grid=Grid(GRID.shape, station))
    write(tmp_path, T2)
    (pair,) = pairing_of(tmp_path).pairs
    assert pair.chosen["t1"].series.evidence.series_description == "AX T1"


def test_a_stack_through_a_part_is_set_aside_for_one_through_all(tmp_path: Path) -> None:
    focused = Grid((8, 8, 5), np.array([[-0.5, 0, 0, -2], [0, -0.5, 0, -2], [0, 0, 3, 10], [0, 0, 0, 1]]))
    write(tmp_path, replace(T1, description="AX T1 focus", slices=5, gap_mm=3.0), grid=focused)
    write(tmp_path, T1)
    write(tmp_path, T2)
    (pair,) = pairing_of(tmp_path).pairs
    assert pair.chosen["t1"].series.evidence.series_description == "AX T1"
    assert "covers its partner's slices (+8)" in pair.chosen["t1"].reasons
    assert pair.chosen["t1"].lead is not None
    assert pair.chosen["t1"].lead >= MARGIN


def test_of_two_reconstructions_of_one_measurement_the_corrected_is_taken(tmp_path: Path) -> None:
    write(tmp_path, T1)
    write(tmp_path, replace(T1, description="AX T1 ND"))
    write(tmp_path, T2)
    assert codes(pairing_of(tmp_path)) == ["ambiguous-t1"]
    home = tmp_path / "CANARY-1" / "1" / "AX_T1"
    edit(home, lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "M", "DIS2D"]))
    (pair,) = pairing_of(tmp_path).pairs
    assert pair.chosen["t1"].series.evidence.series_description == "AX T1"
    assert "uncorrected beside the same measurement corrected (-8)" in pair.chosen["t1"].runner_up_reasons


def test_a_repeat_that_was_broken_off_stands_back(tmp_path: Path) -> None:
    short = Grid((8, 8, 7), GRID.affine)
    write(tmp_path, replace(T1, description="AX T1 moved", slices=7), grid=short)
    write(tmp_path, T1)
    write(tmp_path, T2)
    (pair,) = pairing_of(tmp_path).pairs
    assert pair.chosen["t1"].series.evidence.slice_count == 12
    assert "covers a part of what another with the same pixels covers (-8)" in pair.chosen["t1"].runner_up_reasons
