"""Headers and descriptions that look like a T1 or a fat-suppressed T2 and are none."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from curation.names.description_words import read_words
from curation.series.header_physics import weighting
from curation.series.role_rules import judge
from datasets.dicom.evidence import Plane, SeriesEvidence
from tests.curation.support.protocols import T1_IMAGE
from tests.curation.support.small_studies import T1, T2, codes, edit, pairing_of, write

PLAIN_T1 = SeriesEvidence(
    modality="MR", series_description="t1_tse_tra", scanning_sequence=("SE",), repetition_time_ms=600.0,
    echo_time_ms=12.0, plane=Plane.AXIAL, slice_count=16, echo_train_length=3,
)  # fmt: skip


def test_the_times_of_a_long_train_do_not_tell_a_t1() -> None:
    space = replace(PLAIN_T1, repetition_time_ms=1100.0, echo_time_ms=33.0, echo_train_length=60)
    assert weighting(space) is None
    assert not judge(replace(space, series_description="space_tra"), T1_IMAGE).is_plausible
    assert judge(space, T1_IMAGE).is_plausible
    assert weighting(replace(space, repetition_time_ms=700.0)) is not None
    assert weighting(replace(space, echo_train_length=8)) is not None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"sequence_variant": ("SK", "MTC")}, "magnetisation-transfer"),
        ({"series_description": "T1 tra arthro"}, "arthrography"),
        ({"series_description": "Arthrographie T1"}, "arthrography"),
        ({"series_description": "QA t1"}, "test-object"),
        ({"series_description": "t1 phantom"}, "test-object"),
        ({"series_description": "T1 TSE tra _IN"}, "in-or-opposed-phase"),
        ({"series_description": "t1_tse_tra_opp"}, "in-or-opposed-phase"),
    ],
)
def test_other_kinds_are_no_t1(changes: dict[str, object], refusal: str) -> None:
    assert judge(PLAIN_T1, T1_IMAGE).is_plausible
    assert refusal in judge(replace(PLAIN_T1, **changes), T1_IMAGE).refusals  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "suppressed"),
    [
        ("T2 ax -FS", False), ("T2 TSE tra FS-", False), ("T2 FS- tra", False), ("T2 -fatsat", False),
        ("T2 TSE-FS tra", True), ("T2 - FS", True), ("T2 FS-TRA", True), ("Fs Andersen T2 ax", False),
        ("FS T2 ax", True), ("t2 fs Thigh", True), ("Ax T2 Fs", True),
    ],
)  # fmt: skip
def test_fat_suppression_in_words(text: str, suppressed: bool) -> None:
    assert read_words(text).fat_suppressed is suppressed


def _timed(folder: Path, order: list[tuple[str, int, str]]) -> list[str]:
    """Codes of a study of an enhanced T1, a plain T1 and a T2 with these times and numbers."""
    enhanced = replace(T1, description="AX T1 FS GD", scan_options="FS")
    protocols = {"enhanced": enhanced, "t1": T1, "t2": T2}
    for name, number, time in order:

        def change(dataset: Dataset, number: int = number, time: str = time) -> None:
            dataset.SeriesNumber, dataset.AcquisitionDate, dataset.AcquisitionTime = number, "20200303", time

        edit(write(folder, protocols[name]), change)
    return codes(pairing_of(folder))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([("t1", 1, "100000"), ("t2", 2, "100500"), ("enhanced", 3, "102000")], []),
        ([("t2", 1, "100000"), ("enhanced", 2, "102000"), ("t1", 3, "102500")], ["no-t1"]),
        ([("enhanced", 1, "102000"), ("t1", 2, "102500"), ("t2", 3, "100000")], ["no-t1"]),
        ([("enhanced", 3, "102000"), ("t1", 2, "102500"), ("t2", 1, "100000")], ["t1-perhaps-enhanced"]),
        ([("enhanced", 1, "102000"), ("t1", 2, "100500"), ("t2", 3, "100000")], ["t1-perhaps-enhanced"]),
    ],
    ids=["before", "after", "after, both agree", "later, numbered before", "earlier, numbered after"],
)
def test_without_a_localizer_times_and_numbers_must_agree(
    tmp_path: Path, order: list[tuple[str, int, str]], expected: list[str]
) -> None:
    assert _timed(tmp_path, order) == expected
