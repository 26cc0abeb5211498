"""Every command with no study, one, and two, one of them named or none: a refusal, or work on that study alone."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case, Ingest, IngestOutcome, IngestPatient
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from datasets.files import write_bytes
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.support.installation import free_port
from tests.annotation_backend.support.records import accounts, approve, published, registered_case, saved, second_study
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db

OF_A_STUDY = {
    "ingest_studies": ("FOLDER", "--dry-run"),
    "import_dataset": ("FOLDER", "--layout", "bids", "--dry-run"),
    "register_cases": ("--dry-run",),
    "export_slices": ("--dry-run",),
    "publish_tasks": ("--dry-run",),
    "report_cohort": (),
    "configure_project": (),
    "build_release": ("thigh", "1.0.0", "--licence", "CC0-1.0", "--dry-run"),
    "report_erratum": ("FOLDER/notes.txt",),
    "decide_erratum": ("1", "--accept"),
    "train_model": ("--dry-run",),
    "nnunet": ("export", "--work", "work"),
    "export_training_slices": ("--dry-run",),
    "promote_model": ("bright-1", "--for", "box", "--dry-run"),
    "change_protocol": (FIRST,),
    "assign_work": ("review", "--spread", "random", "--dry-run"),
    "add_person": ("second@hospital.org", "annotator"),
}
"""Commands that have to be told which study, where there are several."""

OF_A_CODE = {
    "exclude_case": ("CASE", "--take-back", "--dry-run"),
    "transfer_mask": ("CASE", "FOLDER", "out.nii.gz"),
    "choose_series": ("--patient", "PATIENT"),
    "withdraw_patient": ("PATIENT", "--reason", "x", "--dry-run"),
    "compare_annotations": ("CASE", "2"),
    "restore_annotation": ("CASE", "2", "1", "--person", "annotator@maskloop.local", "--dry-run"),
}
"""Commands whose code says the study."""

OF_ALL = {
    *("pull_annotations", "list_studies", "list_models", "check_data", "remove_person"),
    *("create_study", "doctor", "up", "send_digests", "simulate_learning", "export_release"),
    *("upload_release", "upload_errata", "pack_release"),
}
"""Commands about all studies, or one that is named; each has a test of its own."""

OF_FILES = {
    *(
        "verify_release",
        "verify_withdrawal",
        "fetch_release",
        "compare_releases",
        "convert_export",
        "deidentify_studies",
        "segment_volume",
        "evaluate_model",
    ),
    *("report_models", "freeze_external", "export_bundle", "import_bundle", "register_model"),
    *(
        "simulate_annotators",
        "convert_medsam",
        "check_protocol",
        "run_label_studio",
        "migrate",
        "db_worker",
        "reset_sign_in",
    ),
}
"""Commands that know nothing of studies."""


@dataclass(frozen=True)
class Place:
    """A study with a case that was drawn and approved, or with one that nobody approved."""

    study: Study
    case: Case


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Folders of this test's own; nothing answers as Label Studio."""
    settings.DATA_FOLDER = tmp_path / "data"
    settings.LABEL_STUDIO_URL = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "home" / "FOLDER").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "home")
    write_bytes(Path("FOLDER/notes.txt"), b"no image")


def _filled(study: Study, code: str, *, number: int) -> Place:
    """A case with a save on slice 2, and what its ingest saw."""
    case = registered_case(code, study=study)
    saved(published(case, first_task=100 * number + 1, project=number)[2], identifier=number)
    assert assemble(case) is not None
    row = Ingest.objects.create(study=study, file_count=1)
    seen = [{"reference": f"S-{code}", "kind": "MR", "plane": "axial", "slice_count": 5, "scores": {"t2": 9}}]
    outcome = IngestOutcome.KNOWN
    IngestPatient.objects.create(
        ingest=row, patient=case.patient, case=case, outcome=outcome, reference=f"S-{code}", considered=seen
    )
    return Place(study, case)


@pytest.fixture
def one(study: Study) -> Place:
    """The first study, whose case is approved and in whose place a model serves."""
    people = accounts()
    known_model(kinds=(PromptKind.BOX,))
    place = _filled(study, "C0001", number=1)
    approve(place.case.masks.get(), people[Role.RADIOLOGIST])
    return place


@pytest.fixture
def other(one: Place) -> Place:
    """A second one, in which nothing is approved and no model serves."""
    return _filled(second_study(), "second-C0001", number=2)


def _run(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> tuple[dict[str, Any], str]:
    """The command's document, and all that it said."""
    capsys.readouterr()
    with suppress(SystemExit):
        call_command(name, *words, "--json")
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return json.loads(said.out), said.out + said.err


def _words(name: str, place: Place | None) -> list[str]:
    case, patient = (place.case.code, place.case.patient.code) if place else ("C0001", "P0001")
    return [{"CASE": case, "PATIENT": patient}.get(word, word) for word in {**OF_A_STUDY, **OF_A_CODE}[name]]


def _require_silent_about(said: str, place: Place) -> None:
    """Nothing of a study is in what a command about another one said."""
    found = re.findall(r"(?:[a-z0-9-]+-)?\b[CP]\d{4}\b", said)
    assert not {place.case.code, place.case.patient.code} & set(found)
    assert place.study.name not in said.replace("mstt-199 1", "").replace(f'"protocol": "{FIRST}"', "")


def test_every_command_is_tried_here() -> None:
    ours = {name for name, app in get_commands().items() if str(app).startswith("annotation_backend")}
    assert ours == {*OF_A_STUDY, *OF_A_CODE, *OF_ALL, *OF_FILES}


@pytest.mark.parametrize("name", sorted(OF_A_STUDY))
def test_without_a_study_each_says_so(name: str, study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.delete()
    document, said = _run(capsys, name, *_words(name, None))
    assert document["code"] == "study-none", said
    assert "create_study" in said


@pytest.mark.parametrize("name", sorted(OF_A_CODE))
def test_without_a_study_no_code_is_known(name: str, study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.delete()
    document, said = _run(capsys, name, *_words(name, None))
    assert document["code"] in {"case-unknown", "patient-unknown", "slice-unpublished"}, said


@pytest.mark.parametrize("name", sorted({**OF_A_STUDY, **OF_A_CODE}))
def test_the_only_study_need_not_be_named(name: str, one: Place, capsys: pytest.CaptureFixture[str]) -> None:
    document, said = _run(capsys, name, *_words(name, one))
    assert not str(document.get("code", "")).startswith(("study-", "case-unknown", "patient-unknown")), said
    named, _ = _run(capsys, name, *_words(name, one), "--study", one.study.name)
    assert named.get("code") == document.get("code")


@pytest.mark.parametrize("name", sorted(OF_A_STUDY))
def test_of_several_one_has_to_be_named(
    name: str, one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    document, said = _run(capsys, name, *_words(name, one))
    assert document["code"] == "study-unsaid", said
    assert "--study" in said
    document, said = _run(capsys, name, *_words(name, one), "--study", "third")
    assert document["code"] == "study-unknown", said


@pytest.mark.parametrize("name", sorted(OF_A_STUDY))
def test_a_study_that_is_named_is_the_only_one_told_of(
    name: str, one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, foreign in ((one, other), (other, one)):
        document, said = _run(capsys, name, *_words(name, place), "--study", place.study.name)
        assert not str(document.get("code", "")).startswith("study-"), said
        _require_silent_about(said, foreign)


@pytest.mark.parametrize("name", sorted(OF_A_CODE))
def test_a_code_is_enough_and_another_studys_is_unknown(
    name: str, one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, foreign in ((one, other), (other, one)):
        document, said = _run(capsys, name, *_words(name, place))
        assert not str(document.get("code", "")).endswith(("unknown", "unpublished")), said
        _require_silent_about(said, foreign)
        document, _ = _run(capsys, name, *_words(name, place), "--study", foreign.study.name)
        assert document["code"] in {"case-unknown", "patient-unknown", "slice-unpublished"}


@pytest.mark.parametrize("name", ["register_cases", "export_slices", "publish_tasks", "export_training_slices"])
def test_cases_that_are_named_say_their_study(
    name: str, one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    document, said = _run(capsys, name, "--case", one.case.code, "--dry-run")
    assert "code" not in document, said
    document, _ = _run(capsys, name, "--case", one.case.code, "--study", "second", "--dry-run")
    assert document["code"] in {"case-unknown", "nothing-approved"}


def test_what_only_one_study_has_is_in_no_other(one: Place, other: Place, capsys: pytest.CaptureFixture[str]) -> None:
    release = ("build_release", "thigh", "1.0.0", "--licence", "CC0-1.0", "--dry-run")
    assert _run(capsys, *release, "--study", one.study.name)[0]["cases"] == ["C0001"]
    assert _run(capsys, *release, "--study", "second")[0]["code"] == "nothing-approved"
    assert set(_run(capsys, "list_models")[0]["studies"]) == {FIRST, "second"}
    for place, foreign, serves in ((one, other, ["box"]), (other, one, [])):
        document, said = _run(capsys, "list_models", "--study", place.study.name)
        assert document["models"][0]["serves"] == serves
        _require_silent_about(said, foreign)
    Model.objects.update(study=one.study)
    assert _run(capsys, "list_models", "--study", "second")[0]["models"] == [], "it learned from another study's masks"


def test_studies_are_listed_with_what_is_in_them(one: Place, other: Place, capsys: pytest.CaptureFixture[str]) -> None:
    give_role(other.study, accounts()[Role.ANNOTATOR], Role.RADIOLOGIST)
    rows = {row["study"]: row for row in _run(capsys, "list_studies")[0]["studies"]}
    three = {"annotator": 1, "data_manager": 1, "radiologist": 1}
    assert [rows[FIRST][key] for key in ("cases", "people", "label_studio_project")] == [1, three, 1]
    assert [rows["second"][key] for key in ("cases", "people", "label_studio_project")] == [1, {"radiologist": 1}, 2]


def test_an_empty_installation_lists_no_study_and_takes_one(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.delete()
    assert _run(capsys, "list_studies")[0]["studies"] == []
    made, _ = _run(capsys, "create_study", "thigh-t1", "--protocol", "t1")
    assert (made["study"], made["protocol"]) == ("thigh-t1", "t1")
    assert _run(capsys, "create_study", "thigh-t1", "--protocol", "t1")[0]["code"] == "study-exists"
    assert [row["study"] for row in _run(capsys, "list_studies")[0]["studies"]] == ["thigh-t1"]


def test_saves_are_pulled_of_all_studies_or_of_one(
    one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(capsys, "pull_annotations", "--study", "third")[0]["code"] == "study-unknown"
    assert _run(capsys, "pull_annotations", "--study", "second", "--every", "1")[0]["code"] == "study-with-every"
    create_study("empty", shipped_text("t1"))
    for words in ((), ("--study", "second")):
        assert _run(capsys, "pull_annotations", *words)[0]["code"] == "label-studio-down"
    assert _run(capsys, "pull_annotations", "--study", "empty")[0]["code"] == "no-project"


def test_everything_that_is_stored_is_looked_over_in_every_study(
    one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, said = _run(capsys, "check_data")
    gone = other.case.masks.get().path
    gone.unlink()
    found, said = _run(capsys, "check_data")
    assert found["checked"] == whole["checked"], said
    assert [row["subject"] for row in found["damaged"] if row not in whole["damaged"]] == [
        gone.relative_to(one.study.folder).as_posix()
    ]
