"""Studies: made with a protocol, found by name, and what a change of the protocol asks."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.ingesting.pseudonyms import next_code, patient_of
from annotation_backend.cases.models import Case, Patient
from annotation_backend.studies.models import ProtocolVersion, Study
from annotation_backend.studies.people import give_role, has_role_in, role_in, studies_of, take_role
from annotation_backend.studies.services import change_protocol, create_study, ensure_study, find_study
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import shipped_protocol, shipped_text
from tests.annotation_backend.support.records import accounts, registered_case

pytestmark = pytest.mark.django_db


def _later(text: str, **changes: str) -> str:
    text = text.replace("version = 1", "version = 2", 1)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    with suppress(SystemExit):
        call_command(*words, "--json")
    return dict(json.loads(capsys.readouterr().out))


def test_the_first_study_has_short_codes_and_the_data_folder_itself(study: Study, settings: Any) -> None:
    assert study.is_first
    assert study.folder == Path(settings.DATA_FOLDER)
    assert registered_case().code == "C0001"
    assert next_code(study, Case) == "C0002"


def test_another_study_has_codes_and_files_of_its_own(study: Study, settings: Any) -> None:
    registered_case()
    other = create_study("thigh-t1", shipped_text("t1"))
    assert not other.is_first
    assert (next_code(other, Case), next_code(other, Patient)) == ("thigh-t1-C0001", "thigh-t1-P0001")
    assert other.folder == Path(settings.DATA_FOLDER) / "studies" / "thigh-t1"


def test_one_person_is_another_patient_in_each_study(study: Study) -> None:
    other = create_study("thigh-t1", shipped_text("t1"))
    one, again, there = patient_of(study, "Miller"), patient_of(study, "Miller"), patient_of(other, "Miller")
    assert one == again
    assert one.code == "P0001"
    assert there.code == "thigh-t1-P0001"


@pytest.mark.parametrize("name", ["", "T1", "1t", "a--b", "a b", "../x", "a" * 41, "ä"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RejectedInput, match="small letters") as refused:
        create_study(name, shipped_text("t1"))
    assert refused.value.code == "study-name"


def test_a_taken_name_is_refused_and_the_study_stays(study: Study) -> None:
    with pytest.raises(RejectedInput, match="study-exists"):
        create_study(study.name, shipped_text("t1"))
    assert Study.objects.get().protocol == shipped_protocol("mstt-199")


def test_a_faulty_document_makes_no_study() -> None:
    with pytest.raises(RejectedInput, match="line 6"):
        create_study("own", shipped_text("t1").replace('drawn = "t1"', 'drawn = "t7"').replace("# Tumours", "#"))
    assert not Study.objects.filter(name="own").exists()


def test_the_only_study_needs_no_name_and_one_of_several_does(study: Study) -> None:
    assert find_study(None) == study
    create_study("other", shipped_text("ct"))
    with pytest.raises(RejectedInput, match="study-unsaid"):
        find_study(None)
    assert find_study("other").protocol.drawn == "ct"
    with pytest.raises(RejectedInput, match="study-unknown"):
        find_study("thigh")


def test_without_a_study_the_refusal_says_how_to_make_one(study: Study) -> None:
    study.delete()
    with pytest.raises(RejectedInput, match="create_study") as refused:
        find_study(None)
    assert refused.value.code == "study-none"
    assert ensure_study("ct").protocol == shipped_protocol("ct")
    with pytest.raises(RejectedInput, match="protocol-unknown"):
        ensure_study("ultrasound")


def test_a_later_version_takes_the_place_of_the_former_which_is_kept(study: Study) -> None:
    document = _later(shipped_text("mstt-199"), **{"#e8590c": "#c92a2a"})
    assert change_protocol(study, document)
    found = Study.objects.get(pk=study.pk)
    assert found.protocol.label("Tumour").colour == "#c92a2a"
    assert [version.protocol.version for version in ProtocolVersion.objects.filter(study=study)] == [1, 2]
    assert not change_protocol(found, f"# The same.\n{document}")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (shipped_text("t1"), "protocol-other"),
        (shipped_text("mstt-199").replace("#e8590c", "#c92a2a"), "protocol-version-old"),
        (_later(shipped_text("mstt-199"), **{"value = 2": "value = 1"}), "protocol-value-twice"),
    ],
)
def test_a_version_that_cannot_follow_is_refused(study: Study, document: str, code: str) -> None:
    with pytest.raises(RejectedInput) as refused:
        change_protocol(study, document)
    assert refused.value.code == code
    assert Study.objects.get(pk=study.pk).protocol == shipped_protocol("mstt-199")


def test_a_role_is_of_one_study(study: Study) -> None:
    people = accounts()
    other = create_study("thigh-t1", shipped_text("t1"))
    annotator = people[Role.ANNOTATOR]
    assert list(studies_of(annotator)) == [study]
    assert role_in(other, annotator) is None
    give_role(other, annotator, Role.RADIOLOGIST)
    assert (role_in(study, annotator), role_in(other, annotator)) == (Role.ANNOTATOR, Role.RADIOLOGIST)
    assert not has_role_in(study, annotator, Role.RADIOLOGIST)
    assert take_role(study, annotator)
    assert not take_role(study, annotator)
    assert list(studies_of(annotator)) == [other]


def test_an_administrator_has_every_study_and_a_closed_account_none(study: Study) -> None:
    people = accounts()
    other = create_study("thigh-t1", shipped_text("t1"))
    administrator = people[Role.ADMINISTRATOR]
    assert list(studies_of(administrator)) == [study, other]
    assert has_role_in(other, administrator, Role.DATA_MANAGER)
    assert not has_role_in(other, administrator, Role.RADIOLOGIST)
    User.objects.filter(pk=people[Role.RADIOLOGIST].pk).update(is_active=False)
    closed = User.objects.get(pk=people[Role.RADIOLOGIST].pk)
    assert list(studies_of(closed)) == []
    assert role_in(study, closed) is None


def test_commands_make_list_and_check(capsys: pytest.CaptureFixture[str], study: Study, tmp_path: Path) -> None:
    made = _json(capsys, "create_study", "pelvis", "--protocol", "pet-ct")
    assert made["digest"] == shipped_protocol("pet-ct").digest
    listed = _json(capsys, "list_studies")["studies"]
    assert [(row["study"], row["images"]) for row in listed] == [("mstt-199", ["t1", "t2"]), ("pelvis", ["ct", "pet"])]
    own = tmp_path / "own.toml"
    own.write_text(shipped_text("ct").replace("value = 1", "value = 300"), encoding="utf-8")
    [fault] = _json(capsys, "check_protocol", str(own))["details"]
    assert fault["code"] == "protocol-value"
    assert fault["subject"].startswith("line ")
    assert _json(capsys, "create_study", "own", "--protocol", str(own))["code"] == "protocol-value"
    assert _json(capsys, "create_study", "own", "--protocol", str(tmp_path / "none.toml"))["code"] == "protocol-unknown"
    assert Study.objects.count() == 2
