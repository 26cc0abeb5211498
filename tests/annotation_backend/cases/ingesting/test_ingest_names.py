"""Patients and masks of volume files in the records: remedies, stored names, and patients who keep their codes."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.pseudonyms import pseudonym_of
from annotation_backend.cases.models import Case, ImportedMask, Ingest, Patient
from datasets.formats.nifti import read_mask
from tests.annotation_backend.support.records import the_study
from tests.curation.support.small_volumes import labelled, put_image, put_mask

pytestmark = pytest.mark.django_db


@pytest.fixture
def own_data(tmp_path: Path, settings) -> Path:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


def _patient(folder: Path, *, seed: int = 0) -> None:
    put_image(folder / "T1.nii", seed)
    put_image(folder / "T2_fs.nii", seed + 1)


def _codes(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    with suppress(SystemExit):
        call_command("ingest_studies", *arguments, "--json")
    return [each["code"] for each in json.loads(capsys.readouterr().out)["details"]]


def test_the_remedy_of_unclear_values_brings_the_masks_to_the_cases_that_are_there(
    tmp_path: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = tmp_path / "studies"
    for seed, (name, values) in enumerate({"A": (1, 2), "B": (2,)}.items()):
        _patient(studies / name, seed=10 * seed)
        put_mask(studies / name / "T2_seg.nii", *values)
    assert "mask-values-unclear" in _codes(capsys, str(studies))
    assert (Case.objects.count(), ImportedMask.objects.count()) == (2, 0)
    assert set(_codes(capsys, str(studies), "--label-values", "tumour=2,oedema=1")) == {"mask-added"}
    assert Ingest.objects.order_by("pk").last().label_values == {"2": "tumour", "1": "oedema"}
    found = {(mask.series.case.code, mask.roi_name): mask for mask in ImportedMask.objects.all()}
    assert set(found) == {("C0001", "tumour"), ("C0001", "oedema"), ("C0002", "tumour")}
    assert (read_mask(found["C0001", "tumour"].path).data == (labelled(1, 2) == 2)).all()


def test_what_is_no_list_of_values_is_refused_before_anything_is_read(tmp_path: Path, own_data: Path) -> None:
    _patient(tmp_path / "studies" / "A")
    with pytest.raises(SystemExit) as caught:
        call_command("ingest_studies", str(tmp_path / "studies"), "--label-values", "tumour")
    assert caught.value.code == 2
    assert not Ingest.objects.exists()


@pytest.mark.parametrize(("name", "former"), [("山田", ""), ("W", ""), ("Müller", "Müller"), ("P1", "P1")])
def test_a_patient_of_an_earlier_version_keeps_the_code(tmp_path: Path, own_data: Path, name: str, former: str) -> None:
    """The records of before: the pseudonym of the key that the folder's name gave then."""
    studies = tmp_path / "studies"
    _patient(studies / name)
    (case,) = ingest(studies, study=the_study()).new
    Patient.objects.filter(pk=case.patient_id).update(pseudonym=pseudonym_of(former))
    report = ingest(studies, study=the_study())
    assert ([known.code for known in report.known], report.new, report.findings) == ([case.code], [], [])
    assert Patient.objects.count() == 1
    assert ingest(studies, study=the_study()).findings == []


def test_a_patient_whom_earlier_versions_made_of_several_people_is_not_taken_for_one(
    tmp_path: Path, own_data: Path
) -> None:
    for seed, name in enumerate(("山田", "鈴木")):
        _patient(tmp_path / name / name, seed=10 * seed)
        ingest(tmp_path / name, study=the_study())
    first, second = Patient.objects.order_by("pk")
    Case.objects.filter(patient=second).update(patient=first)
    second.delete()
    Patient.objects.filter(pk=first.pk).update(pseudonym=pseudonym_of(""))
    report = ingest(tmp_path / "鈴木", study=the_study())
    assert [finding.code for finding in report.findings] == ["series-of-another"]
    assert Case.objects.filter(patient=first).count() == 2


def test_a_patient_s_choice_stays_with_the_patient_who_keeps_the_code(tmp_path: Path, own_data: Path) -> None:
    studies = tmp_path / "studies"
    _patient(studies)
    (case,) = ingest(studies, study=the_study()).new
    Patient.objects.filter(pk=case.patient_id).update(pseudonym=pseudonym_of(""))
    report = ingest(studies, study=the_study())
    assert (report.known, report.findings) == ([case], [])
    assert Case.objects.get().patient.code == case.patient.code


def _read_as_before(case: Case) -> None:
    """Gives a case's masks the names that the smallest value as the tumour gave them."""
    for mask in ImportedMask.objects.filter(series__case=case):
        ImportedMask.objects.filter(pk=mask.pk).update(roi_name="label" if mask.roi_name == "tumour" else "tumour")


def test_a_mask_that_was_read_with_another_meaning_is_read_anew(tmp_path: Path, own_data: Path) -> None:
    studies = tmp_path / "studies"
    _patient(studies / "A")
    put_mask(studies / "A" / "T2_seg.nii", 1, 1, 2)
    (case,) = ingest(studies, label_values={1: "Oedema", 2: "Tumour"}, study=the_study()).new
    _read_as_before(case)
    assert [finding.code for finding in ingest(studies, study=the_study()).findings] == [
        "mask-values-unclear",
        "mask-meaning-unsaid",
    ]
    report = ingest(studies, label_values={1: "Oedema", 2: "Tumour"}, study=the_study())
    assert [finding.code for finding in report.findings] == ["mask-added"]
    masks = {mask.roi_name: read_mask(mask.path).data.sum() for mask in ImportedMask.objects.all()}
    assert masks == {"oedema": 4, "tumour": 2}
    assert ingest(studies, label_values={1: "Oedema", 2: "Tumour"}, study=the_study()).findings == []
