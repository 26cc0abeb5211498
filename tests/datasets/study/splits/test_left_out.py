"""Leaving a tissue type or a vendor out, and the words for vendors."""

import pytest

from datasets.errors import RejectedInput
from datasets.study.splits.left_out import learned_from, leave_one_type_out, leave_one_vendor_out
from datasets.study.splits.split_case import SplitCase
from datasets.study.splits.vendors import vendor_of
from tests.datasets.study.splits.cohorts import collection

A = SplitCase("C1", "P1", "fat", vendor="ge")
B = SplitCase("C2", "P2", "nerve", vendor="ge")
C = SplitCase("C3", "P1", "nerve", vendor="siemens")
D = SplitCase("C4", "P3", "fat", vendor="philips")


def test_each_type_is_tried_by_itself() -> None:
    assert leave_one_type_out([D, C, B, A]) == (("C1", "C4"), ("C2", "C3"))
    assert leave_one_vendor_out([D, C, B, A]) == (("C1", "C2"), ("C4",), ("C3",))


def test_nothing_is_learned_from_a_patient_who_is_tried() -> None:
    """The patient of both types is tried with each, and learned from with neither."""
    fat, nerve = leave_one_type_out([A, B, C, D])
    assert [case.case for case in learned_from([A, B, C, D], fat)] == ["C2"]
    assert [case.case for case in learned_from([A, B, C, D], nerve)] == ["C4"]


def test_all_cases_are_tried_once() -> None:
    cases = collection()
    for found in (leave_one_type_out(cases), leave_one_vendor_out(cases)):
        assert sorted(code for test in found for code in test) == sorted(case.case for case in cases)
    assert len(leave_one_type_out(cases)) == 6


@pytest.mark.parametrize(
    ("cases", "code"),
    [
        ([A, B, SplitCase("C9", "P9", "unknown", vendor="")], "split-{}-unknown"),
        ([A], "split-one-group"),
        ([A, SplitCase("C9", "P9", "fat", vendor="ge")], "split-one-group"),
        ([A, C], "split-one-group"),  # one patient has both
        ([], "split-one-group"),
        ([A, A], "split-case-twice"),
    ],
)
def test_what_cannot_be_left_out_is_refused(cases: list[SplitCase], code: str) -> None:
    with pytest.raises(RejectedInput, match=code.format("type")):
        leave_one_type_out(cases)
    with pytest.raises(RejectedInput, match=code.format("vendor")):
        leave_one_vendor_out(cases)


def test_cases_without_a_vendor_are_named() -> None:
    with pytest.raises(RejectedInput, match=r"1 case\(s\) is not known: C9\. .*--case-table"):
        leave_one_vendor_out([A, D, SplitCase("C9", "P9", "fat")])


@pytest.mark.parametrize(
    ("manufacturer", "vendor"),
    [
        ("SIEMENS", "siemens"),
        ("Siemens Healthineers", "siemens"),
        ("GE MEDICAL SYSTEMS", "ge"),
        ("Philips Medical Systems", "philips"),
        ("Philips Healthcare", "philips"),
        ("TOSHIBA_MEC", "canon"),
        ("CANON_MEC", "canon"),
        ("Hitachi Medical Corporation", "fujifilm"),
        ("UIH", "united-imaging"),
        ("Maskloop Phantom", "other"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_vendors(manufacturer: str, vendor: str) -> None:
    assert vendor_of(manufacturer) == vendor
