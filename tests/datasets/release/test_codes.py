"""A release's own codes, and words of file names."""

import pytest

from datasets.errors import RejectedInput
from datasets.release.codes import CaseCode, case_code, is_patient_code, parts_of, patient_code, word_of


def test_codes_of_patients_and_cases() -> None:
    assert patient_code(1) == "sub-0001"
    assert patient_code(12_345) == "sub-12345"
    assert case_code("sub-0007", 2) == "sub-0007_ses-2"
    assert parts_of("sub-0007_ses-2") == CaseCode("sub-0007", "ses-2")
    assert parts_of(case_code(patient_code(99_999), 10)) == CaseCode("sub-99999", "ses-10")


def test_codes_sort_by_number_up_to_ten_thousand_patients() -> None:
    codes = [patient_code(number) for number in range(1, 10_000)]
    assert sorted(codes) == codes


NOT_CASES = [
    *(
        "",
        "sub-0001",
        "ses-1",
        "C0001",
        "sub-0001_ses-",
        "sub-_ses-1",
        "sub-0001_ses-1 ",
        "sub-0001_ses-1\n",
        "SUB-1_ses-1",
    ),
    *("sub-0001/ses-1", "sub-00.01_ses-1", "sub-0001_ses-1_x-1", "sub-Müller_ses-1", "sub-١_ses-1", "sub-0001_ses-1\0"),
    *("../sub-0001_ses-1", "sub-0001_ses-1/..", f"sub-{'1' * 41}_ses-1", f"sub-1_ses-{'1' * 21}"),
]


@pytest.mark.parametrize("code", NOT_CASES)
def test_what_is_no_case_s_code_is_refused(code: str) -> None:
    with pytest.raises(RejectedInput, match="release-code"):
        parts_of(code)


@pytest.mark.parametrize(
    ("code", "is_one"), [("sub-0001", True), ("sub-a1", True), ("sub-", False), ("sub-0001\n", False)]
)
def test_codes_of_patients_are_known(code: str, is_one: bool) -> None:
    assert is_patient_code(code) is is_one


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Tumour", "Tumour"),
        ("t2-fs", "t2fs"),
        ("Peritumoral oedema", "Peritumoraloedema"),
        ("腫瘍", "lesion"),
        ("../x", "x"),
    ],
)
def test_names_become_words_of_letters_and_digits(name: str, word: str) -> None:
    assert word_of(name, otherwise="lesion") == word
