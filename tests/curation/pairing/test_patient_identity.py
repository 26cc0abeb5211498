"""Two patients under one patient ID are never paired with each other, however the ID came about."""

from dataclasses import replace
from pathlib import Path

import pytest

from curation.pairing.pairing import pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom.person import Person, person_of
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_studies import T1, T2, codes, edit, pairing_of, references, write

pytestmark = pytest.mark.slow


def _person(name: str = "", *, sex: str = "", birth_date: str = "") -> Person:
    return person_of(sex=sex, birth_date=birth_date, name=name)


@pytest.mark.parametrize(
    ("field", "value"), [("PatientSex", "F"), ("PatientBirthDate", "19900101"), ("PatientName", "Other^Person")]
)
@pytest.mark.parametrize("visit", ["1", "2"])
def test_two_persons_of_one_id_are_not_paired(tmp_path: Path, field: str, value: str, visit: str) -> None:
    write(tmp_path, T1)
    edit(write(tmp_path, T2, visit=visit), lambda dataset: setattr(dataset, field, value))
    pairing = pairing_of(tmp_path)
    assert pairing.pairs == ()
    assert codes(pairing) == ["patients-mixed"]
    assert len(value) == 1 or value not in repr(scan_folder(tmp_path, protocol=MSTT)) + pairing.findings[0].message
    assert pairing.patients[0].is_question


@pytest.mark.parametrize(
    "name", ["CANARY^NIGHTINGALE", "Canary Nightingale", "Nightingale, Canary", "Canary^N\u00efghtingale^J", ""]
)
def test_a_name_written_otherwise_is_the_same(tmp_path: Path, name: str) -> None:
    write(tmp_path, T1)

    def rename(dataset: object) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", name  # type: ignore[attr-defined]

    edit(write(tmp_path, T2), rename)
    assert len(pairing_of(tmp_path).pairs) == 1


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("M\u00fcller^Eva", "MUELLER, EVA", False),
        ("Muller^Eva", "M\u00fcller^Eva", False),
        ("Doe^Jane", "Doe^John", True),
        ("Doe^Jane", "Doe", False),
        ("Anonymous", "Doe^Jane", False),
        ("\u738b^\u4e3d", "\u674e^\u4f1f", True),
        ("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", "YAMADA^TAROU", False),
    ],
)
def test_names_are_compared_by_their_words(one: str, other: str, differ: bool) -> None:
    assert _person(one).contradicts(_person(other)) is differ
    assert _person(other).contradicts(_person(one)) is differ


def test_what_is_not_said_contradicts_nothing_and_nothing_is_shown() -> None:
    jane = _person("Doe^Jane", sex="F", birth_date="19500101")
    assert not jane.contradicts(Person())
    assert jane.contradicts(replace(jane, sex=_person(sex="M").sex))
    assert not jane.contradicts(_person("doe jane", sex="f", birth_date="1950.01.01"))
    assert not jane.contradicts(_person(birth_date="19000229"))
    assert repr(jane) == "Person()"
    assert "Jane" not in str(vars(jane))


@pytest.mark.slow
@pytest.mark.parametrize("patient", ["ANON", "Anonymous", "0", "000", "UNKNOWN", "test", "X"])
def test_several_studies_of_a_placeholder_are_asked_about(tmp_path: Path, patient: str) -> None:
    write(tmp_path, T1, patient=patient, visit="1")
    write(tmp_path, T2, patient=patient, visit="2")
    assert codes(pairing_of(tmp_path)) == ["patient-id-placeholder"]
    found = references(tmp_path)
    chosen = {"t1": found[T1.description], "t2": found[T2.description]}
    assert len(pair_series(scan_folder(tmp_path, protocol=MSTT), choices={patient: chosen}, protocol=MSTT).pairs) == 1


def test_one_study_of_a_placeholder_is_paired(tmp_path: Path) -> None:
    for protocol in (T1, T2):
        write(tmp_path, protocol, patient="ANON")
    assert len(pairing_of(tmp_path).pairs) == 1


def test_a_choice_of_both_series_of_one_person_stands_and_of_two_does_not(tmp_path: Path) -> None:
    second = replace(T1, description="AX T1 other")
    write(tmp_path, T1)
    write(tmp_path, T2)
    edit(write(tmp_path, second), lambda dataset: setattr(dataset, "PatientSex", "F"))
    found = references(tmp_path)
    scan = scan_folder(tmp_path, protocol=MSTT)
    for t1, count in ((T1, 1), (second, 0)):
        chosen = {"t1": found[t1.description], "t2": found[T2.description]}
        assert len(pair_series(scan, choices={"CANARY-1": chosen}, protocol=MSTT).pairs) == count
