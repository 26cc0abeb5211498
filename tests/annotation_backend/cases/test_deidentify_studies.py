"""`deidentify_studies`: its options, its exit status, and codes that stay the same without a record being made."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage

from annotation_backend.cases.ingesting.pseudonyms import installation_key, outside_code
from annotation_backend.cases.models import Patient
from curation.deidentification.report import REPORT_NAME, TABLE_NAME
from tests.planted_dicom import as_file, image

pytestmark = pytest.mark.django_db


@pytest.fixture
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


@pytest.fixture
def source(tmp_path: Path, own_data: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    study = image()
    study.StudyDate, study.PatientAge, study.SeriesDescription = "20200229", "093Y", "t2 fat sat Nightingale"
    study.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    study.add_new(0x0019100C, "IS", "800")
    (folder / "a.dcm").write_bytes(as_file(study))
    return folder


def the_object(target: Path):
    (path,) = target.rglob("*.dcm")
    return dcmread(path)


def test_without_options_dates_characteristics_words_and_private_tags_go(source: Path, tmp_path: Path, capsys) -> None:
    call_command("deidentify_studies", str(source), str(tmp_path / "out"), "--json")

    document = json.loads(capsys.readouterr().out)
    assert (document["file_count"], document["findings"], document["policy"]["options"]) == (1, [], [])
    left = the_object(tmp_path / "out")
    assert not left.StudyDate
    assert "PatientAge" not in left
    assert "SeriesDescription" not in left
    assert 0x0019100C not in left
    assert left.PatientID == outside_code("MRN7712390")
    assert Patient.objects.count() == 0


def test_each_option_keeps_what_it_names(source: Path, tmp_path: Path) -> None:
    words = ["--shift-dates", "--keep-characteristics", "--keep-safe-private", "--clean-descriptors"]
    call_command("deidentify_studies", str(source), str(tmp_path / "out"), *words)

    left = the_object(tmp_path / "out")
    assert "20100101" < left.StudyDate < "20190301"
    assert left.PatientAge == "090Y"
    assert left.SeriesDescription == "t2 fat sat"
    assert left[0x0019100C].value == 800
    assert len(left.DeidentificationMethodCodeSequence) == 5


def test_what_is_held_back_is_a_finding_and_the_rest_is_done(source: Path, tmp_path: Path, capsys) -> None:
    capture = image()
    capture.SOPClassUID, capture.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    (source / "b.dcm").write_bytes(as_file(capture))
    capture.SOPInstanceUID = "1.2.3.5"
    (source / "c.dcm").write_bytes(as_file(capture))
    (source / "notes.txt").write_text("No DICOM.")

    with pytest.raises(SystemExit) as left:
        call_command("deidentify_studies", str(source), str(tmp_path / "out"), "--json")

    assert left.value.code == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [(one["code"], one["files"]) for one in document["held_back"]] == [("burned-in", [2, 3])]
    assert "1 series may leave, 2 held back, 1 other file(s) are no DICOM" in said.err
    assert all((tmp_path / "out" / name).is_file() and name in said.err for name in (REPORT_NAME, TABLE_NAME))
    assert the_object(tmp_path / "out").Modality == "MR"


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, capsys) -> None:
    call_command("deidentify_studies", str(source), str(tmp_path / "out"), "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["file_count"] == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_is_wrong_usage(own_data: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        call_command("deidentify_studies", "/nowhere", str(tmp_path / "out"), "--json")
    assert left.value.code == 2
    assert json.loads(capsys.readouterr().out)["code"] == "folder-absent"


def test_codes_are_the_same_in_every_run_and_other_in_another_installation(
    own_data: Path, tmp_path: Path, settings
) -> None:
    first = outside_code("MRN7712390")
    assert first == outside_code(" MRN7712390 ") != outside_code("MRN7712391")
    assert len(first) == 13
    assert first.isalnum()
    settings.DATA_FOLDER = tmp_path / "elsewhere"
    settings.DATA_FOLDER.mkdir()
    assert outside_code("MRN7712390") != first


def test_the_key_stays_in_the_data_folder(source: Path, tmp_path: Path, own_data: Path) -> None:
    call_command("deidentify_studies", str(source), str(tmp_path / "out"))
    key = installation_key()
    assert (own_data / "pseudonym.key").read_bytes() == key
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert key not in content
            assert key.hex().encode() not in content.lower()
