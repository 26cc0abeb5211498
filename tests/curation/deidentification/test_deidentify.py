"""One object: identifiers planted anywhere are removed, attributes that images need are kept."""

import random
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import DicomDictionary, RepeatersDictionary, tag_for_keyword
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from curation.deidentification.actions_done import Why
from curation.deidentification.deidentify import Deidentified, Policy, deidentify, written_bytes
from curation.deidentification.policy.attributes import SafePrivate, kept_attributes, safe_private
from curation.deidentification.policy.tables import rows_of
from curation.deidentification.pseudonymous import days_moved, mapped_uid
from curation.deidentification.shifted_dates import shifted
from datasets.errors import ProgramFault, RejectedInput
from tests.planted_dicom import CANARY, CODE, KEY, as_file, image, planted, reread, value_representation

EVERYTHING = Policy(shift_dates=True, keep_characteristics=True, keep_safe_private=True, clean_descriptors=True)
POLICIES = [Policy(), EVERYTHING]
REFUSED_WHEN_CHANGED = (
    {tag_for_keyword(word) for word in ("SOPClassUID", "SamplesPerPixel", "Rows", "Columns")}
    | {
        tag_for_keyword(word)
        for word in ("BitsAllocated", "NumberOfFrames", "ConversionType", "ImageType", "PixelData")
    }
    | {tag_for_keyword(word) for word in ("BitsStored", "HighBit")}
)  # whose unused bits could not be told
WRITINGS = ["ascii", "utf-16-le", "utf-16-be"]


def leave(dataset: Dataset, policy: Policy = Policy(), *, key: bytes = KEY) -> Deidentified:  # noqa: B008, a constant
    return deidentify(dataset, policy, key=key, patient_code=CODE)


def come_out(dataset: Dataset, policy: Policy = Policy()) -> Dataset:  # noqa: B008, a constant
    """The object read back from the file that was written."""
    return reread(leave(reread(dataset), policy).dataset)


def traces(content: bytes, name: str = CANARY) -> list[str]:
    """Ways in which a name stands in the bytes."""
    return [writing for writing in WRITINGS if name.encode(writing) in content]


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES, ids=["basic", "all options"])
@pytest.mark.parametrize("tag", sorted(kept_attributes()), ids="{:08X}".format)
def test_no_kept_attribute_lets_a_name_through(tag: int, policy: Policy) -> None:
    source = image()
    if tag == tag_for_keyword("PixelData"):
        source.PixelData += CANARY.encode()
    else:
        source[tag] = planted(tag, value_representation(tag))
        assert traces(as_file(source))
    assert traces(left_or_refused(source, policy)) == []
    assert tag in REFUSED_WHEN_CHANGED or left_or_refused(source, policy).startswith(bytes(128))


def left_or_refused(source: Dataset, policy: Policy) -> bytes:
    """The file that leaves, or the words with which it is held back."""
    try:
        return written_bytes(leave(reread(source), policy))
    except RejectedInput as refusal:
        return str(refusal).encode()


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES, ids=["basic", "all options"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
@pytest.mark.parametrize("as_unknown", [False, True], ids=["own VR", "UN"])
def test_a_name_in_every_tag_at_three_depths_leaves_no_trace(
    policy: Policy, encoding: str, as_unknown: bool, tell_figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeating = [int(mask.replace("x", digit), 16) for mask in RepeatersDictionary for digit in "02"]
    spare = {tag_for_keyword(word) for word in ("SOPClassUID", "SamplesPerPixel", "BitsAllocated", "ConversionType")}
    spare |= {tag_for_keyword("SecondaryCaptureDeviceManufacturer"), tag_for_keyword("ImageType")}
    spare |= {tag_for_keyword(word) for word in ("PixelData", "Rows", "Columns", "NumberOfFrames")}
    spare |= {tag_for_keyword(word) for word in ("BitsStored", "HighBit")}  # held back, as REFUSED_WHEN_CHANGED says
    if encoding == "utf-16-le":
        spare.add(tag_for_keyword("SpecificCharacterSet"))  # pydicom cannot read an object with such a character set
    tags = [
        tag for tag in (*DicomDictionary, *repeating) if 8 <= tag >> 16 < 0xFFFE and tag & 0xFFFF and tag not in spare
    ]
    source, item = image(), Dataset()
    for place in (source, item):
        for tag in tags:
            vr = value_representation(tag)
            wanted = "UN" if as_unknown and vr != "SQ" else vr
            if not (vr == "SQ" and place is source):
                place[tag] = planted(tag, wanted, encoding=encoding)
        for group in (0x0009, 0x0019, 0x0029, 0x2001):
            place.add_new((group, 0x0010), "LO", CANARY)
            for element in (0x1001, 0x1002, 0x100C):
                place[group << 16 | element] = planted(group << 16 | element, "UN" if as_unknown else "LO")
    inner = Dataset()
    inner.PlanePositionSequence = Sequence([item])
    source.SharedFunctionalGroupsSequence = source.ReferencedSeriesSequence = Sequence([inner])
    source.BurnedInAnnotation = "NO"
    with monkeypatch.context() as patch:
        patch.setattr(config, "replace_un_with_known_vr", not as_unknown)
        content = as_file(source)
    plants = sum(content.count(CANARY.encode(writing)) for writing in ("ascii", encoding) if writing != "latin-1")
    assert plants > 8000
    assert (b"UN\0\0" in content) or not as_unknown

    assert traces(written_bytes(leave(dcmread(BytesIO(content)), policy))) == []
    if policy == EVERYTHING and not as_unknown:
        tell_figure(f"de-identification: a name at {plants} places of one object ({encoding}), 0 found afterwards")


plants = st.tuples(
    st.one_of(st.sampled_from(sorted(DicomDictionary)), st.integers(0x00080000, 0xFFFFFFFF)),
    st.sampled_from(["LO", "UN", "CS", "DS", "IS", "PN", "UI", "OB", "OW", "US", "UL", "DA", "TM", "UT", "SH", "AT"]),
    st.sampled_from([CANARY, f"1.2.{CANARY}", f"{CANARY}^Anna", f" {CANARY} 1", f"20200101{CANARY}", f"AB\\{CANARY}"]),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(plants, max_size=12), st.booleans(), st.sampled_from(POLICIES))
def test_whatever_is_planted_wherever(found: list[tuple[int, str, str]], nested: bool, policy: Policy) -> None:
    source, item = image(), Dataset()
    for tag, vr, text in found:
        if tag not in REFUSED_WHEN_CHANGED and tag >> 16 >= 8 and tag & 0xFFFF:
            (item if nested else source)[tag] = planted(tag, vr, text=text)
    source.PixelValueTransformationSequence = Sequence([item])
    try:
        content = as_file(source)
    except Exception:  # what pydicom itself cannot write cannot arrive
        return
    assert traces(left_or_refused(source, policy)) == [], len(content)


def test_old_identifiers_are_nowhere() -> None:
    source = image()
    source.PatientBirthDate, source.AccessionNumber = "19631107", "ACC778899"
    source.ReferencedImageSequence = Sequence([Dataset()])
    source.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.840.99999.12345"

    content = written_bytes(leave(reread(source), EVERYTHING))

    for old in (b"Doe", b"MRN7712390", b"19631107", b"ACC778899", b"1.2.840.99999", b"1.2.3."):
        assert old not in content


NUMBERS = sorted(tag for tag, check in kept_attributes().items() if check == "number")


@pytest.mark.parametrize("keyword", ["PatientID", "AccessionNumber"])
@pytest.mark.parametrize("written", ["7712390", "7712390.0", "-7712390", "7.71239E6"])
def test_an_identifier_stays_in_no_number(keyword: str, written: str) -> None:
    source = image()
    setattr(source, keyword, "MRN-0077 12390")
    counted = {tag_for_keyword(word) for word in ("NumberOfFrames", "Rows", "Columns")}
    tags = [tag for tag in NUMBERS if value_representation(tag) in ("DS", "IS", "FD", "UL") and tag not in counted]
    item = Dataset()
    for place in (source, item):
        for tag in tags:
            vr = value_representation(tag)
            if vr in ("DS", "IS") and not (vr == "IS" and set(written) & set(".E")):
                place.add(planted(tag, vr, text=written))
            elif vr in ("FD", "UL"):
                place.add_new(tag, vr, abs(float(written)) if vr == "FD" else 7712390)
    source.SharedFunctionalGroupsSequence = Sequence([item])

    result = come_out(source, EVERYTHING)

    assert "SliceLocation" in result
    checked = [element for place in (result, result.SharedFunctionalGroupsSequence[0]) for element in place]
    assert {element.tag for element in checked if element.tag in tags} >= {tag for tag in tags if tag in source}
    assert all(not element.value for element in checked if element.tag in tags)
    told = {action.why for action in leave(reread(source)).actions if action.keyword == "SliceLocation"}
    assert told == {Why.IDENTIFIER}


def test_numbers_like_an_identifier_stay() -> None:
    source = image()
    source.PatientID, source.AccessionNumber = "12345", "0815"
    source.SliceLocation, source.SeriesNumber, source.InstanceNumber = "123.45", "815", "1234"
    result = come_out(source)
    assert (result.SliceLocation, result.SeriesNumber, result.InstanceNumber) == (123.45, 815, 1234)


def test_numbers_beyond_what_they_may_be_are_emptied() -> None:
    source = image()
    source.ImageOrientationPatient = [1, 0, 0, 0, 1, 77123]
    source.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    source.SharedFunctionalGroupsSequence[0].ImageOrientationPatient = [1, 0, 0, 0, -1.0000001, 0]
    result = come_out(source)
    assert not result.ImageOrientationPatient
    assert len(result.SharedFunctionalGroupsSequence[0].ImageOrientationPatient) == 6


def test_uids_are_mapped_alike_everywhere_and_only_with_the_key() -> None:
    source = image()
    source.FrameOfReferenceUID = "1.2.3.9"
    item = Dataset()
    item.ReferencedSOPInstanceUID = item.FrameOfReferenceUID = "1.2.3.9"
    item.ReferencedSOPClassUID = source.SOPClassUID
    source.SourceImageSequence = Sequence([item])

    result = come_out(source)

    reference = result.SourceImageSequence[0]
    assert result.FrameOfReferenceUID == reference.ReferencedSOPInstanceUID == mapped_uid("1.2.3.9", KEY)
    assert result.FrameOfReferenceUID.is_valid
    assert reference.ReferencedSOPClassUID == source.SOPClassUID
    assert mapped_uid("1.2.3.9", KEY[::-1]) != result.FrameOfReferenceUID
    assert result.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID


@given(st.text(max_size=80), st.text(max_size=80))
def test_mapped_uids_are_valid_and_differ(one: str, other: str) -> None:
    mapped = mapped_uid(one, KEY)
    assert DataElement(0x00080018, "UI", mapped).value.is_valid
    assert len(mapped) <= 64
    assert (mapped == mapped_uid(other, KEY)) is (one == other)


def test_a_short_key_and_an_improper_code_are_faults() -> None:
    with pytest.raises(ProgramFault, match="key-too-short"):
        leave(image(), key=b"short")
    for code in ("", "Doe^Jane", "../up", "a" * 33):
        with pytest.raises(ProgramFault, match="patient-code"):
            deidentify(image(), Policy(), key=KEY, patient_code=code)


def test_the_same_gives_the_same_bytes_and_the_source_stays() -> None:
    source = reread(image())
    before = as_file(source)

    first, second = leave(source), leave(reread(image()))

    assert as_file(source) == before
    assert written_bytes(first) == written_bytes(second)
    assert first.actions == second.actions
    assert KEY not in written_bytes(first)
    assert "KEY" not in repr(first)
    assert str(list(KEY)) not in repr(first)


def test_what_is_said_of_the_de_identification() -> None:
    plain, full = come_out(image()), come_out(image(), EVERYTHING)

    assert plain.PatientIdentityRemoved == "YES"
    assert plain.DeidentificationMethod[0] == "DICOM PS3.15 2026d Table E.1-1"
    assert plain.DeidentificationMethod[1].startswith("Maskloop ")
    assert [item.CodeValue for item in plain.DeidentificationMethodCodeSequence] == ["113100"]
    assert plain.LongitudinalTemporalInformationModified == "REMOVED"
    codes = [item.CodeValue for item in full.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108", "113111"]
    assert full.LongitudinalTemporalInformationModified == "MODIFIED"
    assert str(plain.PatientName) == plain.PatientID == CODE


def test_an_object_that_says_it_was_de_identified_says_it_afresh() -> None:
    source = image()
    source.PatientIdentityRemoved, source.DeidentificationMethod = "NO", CANARY
    result = come_out(source)
    assert result.PatientIdentityRemoved == "YES"
    assert CANARY not in result.DeidentificationMethod


def test_preamble_and_file_meta_are_made_afresh() -> None:
    source = image()
    source.preamble = (b"MZ" + CANARY.encode()).ljust(128, b"\0")
    source.file_meta.SourceApplicationEntityTitle = CANARY
    source.file_meta.ImplementationVersionName = CANARY
    source.file_meta.PrivateInformationCreatorUID = "1.2.3.4.5"
    source.file_meta.PrivateInformation = CANARY.encode() + b"\0"
    assert as_file(source).count(CANARY.encode()) == 4

    content = written_bytes(leave(reread(source)))

    assert content[:132] == bytes(128) + b"DICM"
    assert traces(content) == []
    assert b"1.2.3.4.5" not in content


@pytest.mark.parametrize("policy", POLICIES, ids=["basic", "all options"])
def test_overlays_in_unused_bits_and_bytes_behind_the_picture_are_wiped(policy: Policy) -> None:
    source = image()
    source.PixelData = np.array([0xF001, 0x8002, 3, 0x1FFF], dtype="<u2").tobytes() + CANARY.encode() + b"\0"
    source.add_new(0x60000102, "US", 15)
    source.add_new(0x60000022, "LO", CANARY)
    source.add_new(0x60000100, "US", 16)

    result = come_out(source, policy)

    assert np.frombuffer(result.PixelData, "<u2").tolist() == [1, 2, 3, 0x0FFF]
    assert not [tag for tag in result.keys() if tag.group >> 8 == 0x60]  # noqa: SIM118


@pytest.mark.parametrize(
    ("allocated", "stored", "high"),
    [(16, 12, 16), (16, 12, 10), (16, 17, 16), (16, 0, 11), (16, None, 11), (16, 12, 200), (24, 12, 11)],
)
def test_plain_pixels_are_held_back_where_nobody_knows_which_bits_are_unused(
    allocated: int, stored: int | None, high: int
) -> None:
    source = image()
    source.BitsAllocated, source.BitsStored, source.HighBit = allocated, stored, high
    source.PixelData = np.array([0xF001, 0x8002, 3, 0x1FFF, 0, 0], dtype="<u2").tobytes()
    with pytest.raises(RejectedInput) as error:
        leave(source)
    assert error.value.code == "dicom-bits"


def test_overlays_in_pixels_of_64_bits_are_wiped() -> None:
    source = image()
    source.BitsAllocated, source.BitsStored, source.HighBit = 64, 12, 11
    source.PixelData = np.array([1 << 40 | 1, 2, 3, 1 << 12 | 4], dtype="<u8").tobytes()
    assert np.frombuffer(leave(source).dataset.PixelData, "<u8").tolist() == [1, 2, 3, 4]


def test_signed_pixels_keep_their_sign() -> None:
    source = image()
    source.PixelRepresentation = 1
    source.PixelData = np.array([-1, -2048, 5, 2047], dtype="<i2").tobytes()
    assert np.frombuffer(come_out(source).PixelData, "<i2").tolist() == [-1, -2048, 5, 2047]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_transfer_syntaxes_keep_voxels_and_lose_names(syntax: str) -> None:
    source = image()
    source.file_meta.TransferSyntaxUID = syntax
    source.add_new(0x00080103, "LO", CANARY)
    source.PatientComments = CANARY
    if syntax == ExplicitVRBigEndian:
        source.PixelData = np.array([1, 2, 3, 4], dtype=">u2").tobytes()

    result = come_out(source)

    assert result.file_meta.TransferSyntaxUID == syntax
    assert result.pixel_array.ravel().tolist() == [1, 2, 3, 4]
    assert "PatientComments" not in result
    assert 0x00080103 not in result


def held_back(**changes: object) -> Dataset:
    source = image()
    for keyword, value in changes.items():
        setattr(source, keyword, value)
    return source


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("burned-in", {"BurnedInAnnotation": "YES"}),
        ("burned-in", {"BurnedInAnnotation": "YES", "SOPClassUID": SecondaryCaptureImageStorage}),
        ("burned-in", {"SOPClassUID": SecondaryCaptureImageStorage}),
        ("burned-in", {"SOPClassUID": UltrasoundImageStorage}),
        ("burned-in", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"}),
        ("burned-in", {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}),
        ("burned-in", {"ImageType": ["DERIVED", "SECONDARY", "OTHER", "CSA REPORT"]}),
        ("burned-in", {"ConversionType": "WSD"}),
        ("burned-in", {"SamplesPerPixel": 3}),
        ("sop-class-not-allowed", {"SOPClassUID": SecondaryCaptureImageStorage, "BurnedInAnnotation": "NO"}),
        ("sop-class-not-allowed", {"SOPClassUID": EncapsulatedPDFStorage}),
        ("sop-class-not-allowed", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}),
        ("sop-class-not-allowed", {"SOPClassUID": "1.3.12.2.1107.5.9.1"}),
        ("sop-class-not-allowed", {"SOPClassUID": ""}),
        ("dicom-no-uid", {"SeriesInstanceUID": ""}),
        ("pixels-too-few", {"Rows": 3}),
    ],
)
def test_what_may_not_leave(code: str, changes: dict[str, object]) -> None:
    with pytest.raises(RejectedInput) as refusal:
        leave(held_back(**changes))
    assert refusal.value.code == code
    assert "MRN" not in str(refusal.value)


def test_an_image_that_says_no_text_is_in_it_leaves() -> None:
    assert come_out(held_back(BurnedInAnnotation="NO")).BurnedInAnnotation == "NO"


def test_a_makers_own_transfer_syntax_is_held_back() -> None:
    source = image()
    source.file_meta.TransferSyntaxUID = "1.2.3.4"
    with pytest.raises(RejectedInput, match="dicom-transfer-syntax"):
        leave(source)


@pytest.mark.slow
def test_sequences_without_end_are_held_back() -> None:
    source = image()
    place = source
    for _ in range(2000):
        inner = Dataset()
        place.PixelValueTransformationSequence = Sequence([inner])
        place = inner
    with pytest.raises(RejectedInput, match="dicom-too-deep"):
        leave(source)


SAFE_ROWS = sorted(safe_private(), key=lambda row: (row.creator, row.group, row.offset))


@pytest.mark.slow
@pytest.mark.parametrize("row", SAFE_ROWS, ids=lambda row: f"{row.creator}-{row.group:04X}-{row.offset:02X}")
def test_safe_private_attributes_stay_under_their_option_and_creator_alone(row: SafePrivate) -> None:
    check = safe_private()[row]
    vr, value = ("CS", check.split(":")[1].split("|")[0]) if check.startswith("terms") else ("DS", "1000.5")
    for block in (0x10, 0x42):
        tag = row.group << 16 | block << 8 | row.offset
        source = image()
        source.add_new(row.group << 16 | block, "LO", row.creator)
        source.add_new(tag, vr, value)
        source.add_new(row.group << 16 | block << 8 | 0xFE, "LO", CANARY)

        kept = come_out(source, Policy(keep_safe_private=True))

        assert str(kept[tag].value) == value
        assert kept[row.group << 16 | block].value == row.creator
        assert row.group << 16 | block << 8 | 0xFE not in kept
        assert not [one for one in come_out(source).keys() if one.is_private]  # noqa: SIM118
        for creator, text in ((CANARY, value), (row.creator, CANARY)):
            source.add_new(row.group << 16 | block, "LO", creator)
            source[tag] = planted(tag, vr, text=text)
            content = written_bytes(leave(reread(source), Policy(keep_safe_private=True)))
            assert traces(content) == []
            assert tag not in come_out(source, Policy(keep_safe_private=True))


def test_the_list_of_safe_private_attributes_names_the_diffusion_weightings() -> None:
    named = {(row.creator, row.group, row.offset) for row in SAFE_ROWS}
    assert {
        ("SIEMENS MR HEADER", 0x0019, 0x0C),
        ("GEMS_PARM_01", 0x0043, 0x39),
        ("Philips Imaging DD 001", 0x2001, 0x03),
    } <= named
    assert len(SAFE_ROWS) == len(rows_of("safe_private.csv"))


def test_a_contrast_agent_becomes_a_dummy_and_none_stays_none() -> None:
    for said, wanted in (("Gadovist", "REMOVED"), ("NONE", ""), ("", "")):
        assert (come_out(held_back(ContrastBolusAgent=said)).ContrastBolusAgent or "") == wanted


def test_codes_keep_the_standards_meaning_and_unknown_ones_go() -> None:
    source = image()
    items = []
    for scheme, value in (("SCT", "61685007"), ("SCT", CANARY), ("99LOCAL", "1")):
        item = Dataset()
        item.CodingSchemeDesignator, item.CodeValue, item.CodeMeaning = scheme, value, CANARY
        items.append(item)
    source.AnatomicRegionSequence = Sequence(items)

    (only,) = come_out(source).AnatomicRegionSequence

    assert (only.CodeValue, only.CodeMeaning) == ("61685007", "Lower limb structure (body structure)")
    assert len(only) == 3


@pytest.mark.parametrize(
    ("age", "kept"),
    [("089Y", "089Y"), ("090Y", "090Y"), ("120Y", "090Y"), ("091Y", "090Y"), ("011M", "011M"), ("old", ""), ("", "")],
)
def test_ages_end_at_ninety(age: str, kept: str) -> None:
    source = image()
    source[0x00101010] = planted(0x00101010, "AS", text=age)
    assert (come_out(source, Policy(keep_characteristics=True)).PatientAge or "") == kept
    assert "PatientAge" not in come_out(source)


@pytest.mark.parametrize(
    ("vr", "value", "moved"),
    [
        ("DA", "20200229", "20190301"),
        ("DA", "2020.02.29", "20190301"),
        ("DA", "20210228", "20200229"),
        ("DA", "00020101", "00010101"),
        ("DA", "00010101", None),
        ("DA", "20200230", None),
        ("DA", "202002", None),
        ("DA", "20200101-20200105", None),
        ("DA", "yesterday", None),
        ("DT", "20200329023000+0100", "20190330023000"),
        ("DT", "20201025013000.123456", "20191026013000.123456"),
        ("DT", "20200101", "20190101"),
        ("DT", "2020", None),
        ("DT", "20200101250000", None),
        ("TM", "235959.999999", "235959.999999"),
        ("TM", "10", "10"),
        ("TM", "1060", None),
        ("TM", "10:11:12", None),
        ("TM", "noon", None),
    ],
)
def test_dates_move_by_days_and_times_stay(vr: str, value: str, moved: str | None) -> None:
    assert shifted(value, vr, -365) == moved


@given(
    st.dates(date(1911, 1, 1), date(2100, 1, 1)),
    st.integers(0, 20000),
    st.text(alphabet="ABCDEF0123456789", min_size=1, max_size=12),
)
def test_intervals_stay_what_they_are(first: date, apart: int, code: str) -> None:
    days = days_moved(code, KEY)
    assert -3652 <= days <= -365
    second = first + timedelta(days=apart)
    moved = [date.fromisoformat(shifted(f"{day:%Y%m%d}", "DA", days) or "") for day in (first, second)]
    assert moved[1] - moved[0] == second - first


def test_patients_move_by_different_days() -> None:
    assert len({days_moved(f"D{number}", KEY) for number in range(200)}) > 150


def test_malformed_dates_are_told(caplog: pytest.LogCaptureFixture) -> None:
    source = image()
    source[0x00080022] = planted(0x00080022, "DA", text="19631332")

    done = leave(reread(source), Policy(shift_dates=True))

    (told,) = [action for action in done.actions if action.keyword == "AcquisitionDate"]
    assert (told.done.value, told.why.value) == ("emptied", "malformed date")
    assert "19631332" not in f"{done.actions}{caplog.text}"


def test_numbers_that_are_no_numbers_are_emptied_and_told() -> None:
    source = image()
    source[0x00180080] = planted(0x00180080, "DS", text=CANARY)
    source[0x00280030] = DataElement(0x00280030, "DS", ["1.5", "1.5"], validation_mode=config.IGNORE)

    result = come_out(source)

    assert "RepetitionTime" not in result or not result.RepetitionTime
    assert list(result.PixelSpacing) == [1.5, 1.5]


def test_actions_never_hold_values(tmp_path: Path) -> None:
    source = image()
    rng = random.Random(0)
    for tag in rng.sample(sorted(DicomDictionary), 400):
        if tag >> 16 >= 8 and tag not in REFUSED_WHEN_CHANGED and tag & 0xFFFF:
            source[tag] = planted(tag, value_representation(tag))
    told = repr(leave(reread(source), EVERYTHING).actions)
    assert CANARY not in told
    assert "MRN" not in told


def test_more_values_than_the_attribute_has_are_emptied() -> None:
    source = image()
    source[0x00180081] = planted(0x00180081, "DS", text="4\\7\\11\\0815")
    source[0x00280030] = planted(0x00280030, "DS", text="1.5\\1.5")

    result = come_out(source)

    assert not result.EchoTime
    assert list(result.PixelSpacing) == [1.5, 1.5]


def test_each_patients_dates_move_by_the_patients_own_days() -> None:
    source = image()
    source.StudyDate = "20200301"
    for code in ("D1", "D2", "D3"):
        left = deidentify(source, Policy(shift_dates=True), key=KEY, patient_code=code).dataset.StudyDate
        assert date.fromisoformat(str(left)) == date(2020, 3, 1) + timedelta(days=days_moved(code, KEY))
