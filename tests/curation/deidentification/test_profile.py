"""Every row of Table E.1-1, at the top and in a sequence: the result is compared with the table itself."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from pydicom import DataElement, Dataset, config
from pydicom.sequence import Sequence

import curation.deidentification as package
from curation.deidentification.deidentify import Policy, deidentify, written_bytes
from tests.planted_dicom import CANARY, CODE, KEY, as_file, image, planted, reread, value_representation

FOLDER = Path(package.__file__).parent
EDITION = "2026d"
ROW_COUNT = 657
TRANSCRIPTION_SHA256 = "e257bc5e1cfecb3156ad3b871c43e6d73581cba6e80df460f4a4a87694e89442"
"""Of the table's rows as JSON, in an independent transcription of the same edition's pages."""

FACTS = ("tag", "name", "retired", "in_standard_iod", "basic_profile")
INSTANCES = {
    "(50xx,xxxx)": [0x50003000, 0x50000005, 0x50FE2500],
    "(60xx,3000)": [0x60003000, 0x601E3000],
    "(60xx,4000)": [0x60004000, 0x601E4000],
    "(gggg,eeee) where gggg is odd": [0x00091001, 0x0019100C, 0x00291020, 0x7FDF1010],
}
ABSENT, EMPTY, DUMMY, UID, REFERENCES, PATIENT = "absent", "empty", "dummy", "uid", "references", "patient code"
OF_VALUES = {"X": ABSENT, "Z": EMPTY, "D": DUMMY, "U": UID, "Z/D": DUMMY, "X/Z": EMPTY, "X/D": DUMMY, "X/Z/D": DUMMY}
OF_SEQUENCES = OF_VALUES | {"X/Z/D": EMPTY, "X/Z/U*": REFERENCES}


def table() -> list[dict[str, str]]:
    """The data file's rows, read by nothing of ours."""
    lines = (FOLDER / "basic_profile.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


ROWS = table()


def instances(row: dict[str, str]) -> list[int]:
    """Tags that a row stands for."""
    return INSTANCES.get(row["tag"]) or [int(row["tag"][1:5] + row["tag"][6:10], 16)]


CASES = [(row, tag) for row in ROWS for tag in instances(row) if tag >> 16 >= 0x0008]
BEFORE_THE_DATA_SET = [tag for row in ROWS for tag in instances(row) if tag >> 16 < 0x0008]
IDS = [f"{tag:08X}-{row['basic_profile'].replace('/', '')}" for row, tag in CASES]


def expected(row: dict[str, str], tag: int) -> str:
    """The outcome of the standard's action code, choices decided as in decision 0011."""
    if tag in (0x00100010, 0x00100020):
        return PATIENT
    by_code = OF_SEQUENCES if value_representation(tag) == "SQ" else OF_VALUES
    outcome = by_code[row["basic_profile"]]
    return UID if outcome == DUMMY and value_representation(tag) == "UI" else outcome


def source_with(element: DataElement) -> Dataset:
    """An image with the element at the top and again in a sequence within a sequence."""
    dataset, item = image(), Dataset()
    for place in (dataset, item):
        if element.tag.group % 2 and element.tag.group > 8:
            place.add_new((element.tag.group, element.tag.element >> 8), "LO", CANARY)
        place[element.tag] = element
    inner = Dataset()
    inner.PlanePositionSequence = Sequence([item])
    dataset.SharedFunctionalGroupsSequence = Sequence([inner])
    return reread(dataset)


def require(outcome: str, place: Dataset, tag: int) -> None:
    """The place holds what it should."""
    if outcome == ABSENT:
        assert tag not in place
        return
    value = place[tag].value
    if outcome == EMPTY:
        assert not value
    elif outcome == PATIENT:
        assert str(value) == CODE
    elif outcome == UID:
        assert str(value).startswith("2.25.")
        assert len(str(value)) <= 64
    elif outcome == REFERENCES:
        assert value[0].ReferencedSOPInstanceUID.startswith("2.25.")
    else:
        assert value not in (None, "", b"")
        assert value_representation(tag) == place[tag].VR


@pytest.mark.slow
@pytest.mark.parametrize(("row", "tag"), CASES, ids=IDS)
def test_each_row_is_treated_as_the_table_says(row: dict[str, str], tag: int) -> None:
    element = planted(tag, value_representation(tag) if tag >> 16 & 1 == 0 else "LO")
    source = source_with(element)
    assert CANARY.encode() in as_file(source)

    done = deidentify(source, Policy(), key=KEY, patient_code=CODE)

    content = written_bytes(done)
    result = reread(done.dataset)
    nested = result.SharedFunctionalGroupsSequence[0].PlanePositionSequence[0]
    outcome = expected(row, tag)
    for place in (result, nested):
        if tag == 0x00080018 and place is nested:
            assert place.SOPInstanceUID.startswith("2.25.")
        require(outcome, place, tag)
    assert CANARY.encode() not in content
    assert [action for action in done.actions if action.tag.endswith(printed(tag))]


def printed(tag: int) -> str:
    """How the report prints a tag."""
    return f"({tag >> 16:04X},xx{tag & 0xFF:02X})" if tag >> 16 & 1 else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@pytest.mark.parametrize("tag", BEFORE_THE_DATA_SET, ids="{:08X}".format)
def test_groups_before_the_data_set(tag: int) -> None:
    source = image()
    source[tag] = planted(tag, "UI")

    result = deidentify(source, Policy(), key=KEY, patient_code=CODE).dataset

    assert tag not in result
    assert result.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID != "1.2.3.3"


def test_the_table_is_whole_and_as_published(tell_figure) -> None:
    rows = [
        {
            "name": row["name"],
            "tag": row["tag"],
            "retired": row["retired"] == "Y",
            "in_standard_iod": row["in_standard_iod"] == "Y",
            "basic_profile": row["basic_profile"],
            "options": {column: code for column, code in row.items() if column not in FACTS and code},
        }
        for row in ROWS
    ]
    text = json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert len(CASES) + len(BEFORE_THE_DATA_SET) > ROW_COUNT
    assert len(rows) == len({row["tag"] for row in rows}) == ROW_COUNT
    assert EDITION in (FOLDER / "basic_profile.csv").read_text(encoding="utf-8").splitlines()[0]
    assert hashlib.sha256(text.encode()).hexdigest() == TRANSCRIPTION_SHA256
    tell_figure(
        f"de-identification: {ROW_COUNT} rows of Table E.1-1 ({EDITION}), {len(CASES)} tags, each at two depths"
    )


def tags_with(column: str, code: str) -> list[int]:
    """Plain tags whose option column holds a code."""
    return [tag for row, tag in CASES if row[column] == code and row["tag"] not in INSTANCES]


@pytest.mark.parametrize("tag", tags_with("retain_longitudinal_modified_dates", "C"), ids="{:08X}".format)
def test_dates_are_moved_and_what_is_no_date_is_treated_as_before(tag: int) -> None:
    vr = value_representation(tag)
    values = {"DA": "20200229", "DT": "20200229101112.5+0100", "TM": "101112.5"}
    moved = deidentify(
        source_with(planted(tag, vr, text=values.get(vr, CANARY))), Policy(shift_dates=True), key=KEY, patient_code=CODE
    )
    plain = deidentify(source_with(planted(tag, vr)), Policy(shift_dates=True), key=KEY, patient_code=CODE)

    row = next(row for row, of_row in CASES if of_row == tag)
    require(expected(row, tag), plain.dataset, tag)
    assert CANARY.encode() not in written_bytes(plain)
    if vr in values:
        date, rest = moved_date(vr), values[vr][8:].removesuffix("+0100") if vr == "DT" else ""
        assert str(moved.dataset[tag].value) == ("101112.5" if vr == "TM" else date + rest)
    else:
        require(expected(row, tag), moved.dataset, tag)


def moved_date(vr: str) -> str:
    """Where 29 February 2020 goes for this patient: the same for every attribute, and more than a year back."""
    source = image()
    source.StudyDate = "20200229"
    found = str(deidentify(source, Policy(shift_dates=True), key=KEY, patient_code=CODE).dataset.StudyDate)
    assert vr == "TM" or "20100101" < found < "20190301"
    return found


@pytest.mark.parametrize("tag", tags_with("clean_descriptors", "C"), ids="{:08X}".format)
def test_of_descriptions_known_words_stay_under_their_option_alone(tag: int) -> None:
    vr = value_representation(tag)
    source = source_with(planted(tag, vr, text=f"t2 fat {CANARY}"))

    cleaned = deidentify(source, Policy(clean_descriptors=True), key=KEY, patient_code=CODE)

    assert CANARY.encode() not in written_bytes(cleaned)
    if vr in ("LO", "SH", "ST", "LT", "UT", "UC", "CS"):
        assert cleaned.dataset[tag].value.lower() == "t2 fat"
    else:
        row = next(row for row, of_row in CASES if of_row == tag)
        require(expected(row, tag), cleaned.dataset, tag)


@pytest.mark.parametrize("tag", tags_with("retain_patient_characteristics", "K"), ids="{:08X}".format)
def test_characteristics_stay_when_they_are_numbers_or_known_terms(tag: int) -> None:
    samples = {
        0x00101010: ("093Y", "090Y"), 0x00100040: ("F", "F"), 0x00101020: ("1.80", "1.80"), 0x00101030: ("80", "80"),
        0x001021A0: ("NO", "NO"), 0x001021C0: (4, "4"), 0x00102203: ("UNALTERED", "UNALTERED"),
    }  # fmt: skip
    row = next(row for row, of_row in CASES if of_row == tag)
    policy = Policy(keep_characteristics=True)
    vr = value_representation(tag)

    with_name = deidentify(source_with(planted(tag, vr)), policy, key=KEY, patient_code=CODE)

    assert CANARY.encode() not in written_bytes(with_name)
    if tag in samples:
        given, wanted = samples[tag]
        source = source_with(DataElement(tag, vr, given, validation_mode=config.IGNORE))
        assert str(deidentify(source, policy, key=KEY, patient_code=CODE).dataset[tag].value) == wanted
        plain = deidentify(source, Policy(), key=KEY, patient_code=CODE)
        require(expected(row, tag), plain.dataset, tag)
    else:
        require(expected(row, tag), with_name.dataset, tag)


@pytest.mark.parametrize("column", ["retain_uids", "retain_device_identity", "retain_institution_identity"])
def test_options_that_are_not_offered_change_nothing(column: str) -> None:
    tags = tags_with(column, "K")
    assert len(tags) >= 10
    everything = Policy(shift_dates=True, keep_characteristics=True, keep_safe_private=True, clean_descriptors=True)
    source = image()
    for tag in tags:
        source[tag] = planted(tag, value_representation(tag), text="1.2.3.4.5.6.7")

    content = written_bytes(deidentify(source, everything, key=KEY, patient_code=CODE))

    assert b"1.2.3.4.5.6.7" not in content
