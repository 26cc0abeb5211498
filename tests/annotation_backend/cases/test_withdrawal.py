"""A withdrawn patient: every case closed, and nothing of the patient brought in again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, IngestPatient, Patient, Slice, Withdrawal
from annotation_backend.cases.withdrawal import patient_called, withdraw
from datasets.errors import RejectedInput
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from tests.annotation_backend.support.records import registered_case, second_study, the_study

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()


def _images(folder: Path, *, seed: int) -> None:
    for number, role in enumerate(("t1", "t2")):
        voxels = np.random.default_rng(seed + number).random((8, 8, 6), dtype=np.float32)
        write_volume(folder / f"{role}.nii.gz", Volume(voxels, Grid(voxels.shape, np.diag([2.0, 2.0, 4.0, 1.0]))))


def test_every_case_closes_and_one_that_was_excluded_stays_so() -> None:
    cases = [registered_case(code) for code in ("C0001", "C0002")]
    Case.objects.update(patient=cases[0].patient)
    exclude(cases[1], reason="Metal artefact.")
    row = withdraw(cases[0].patient, reason=" Wrote to us. ")
    assert row.reason == "Wrote to us."
    reasons = [case.exclusion.reason for case in Case.objects.order_by("code") if case.exclusion]
    assert reasons == ["The patient was withdrawn.", "Metal artefact."]
    assert not Slice.objects.filter(case=cases[0], revoked=False).exists()
    assert not Case.objects.in_use().exists()


@pytest.mark.slow
def test_an_ingest_brings_nothing_of_a_withdrawn_patient_in(tmp_path: Path) -> None:
    """Neither the same images nor others; of the other patients it does what it always does."""
    folder = tmp_path / "studies"
    for name, seed in (("one", 1), ("two", 10)):
        _images(folder / name, seed=seed)
    assert len(ingest(folder, study=the_study()).new) == 2
    gone = Patient.objects.get(code="P0001")
    withdraw(gone, reason="Wrote to us.")
    for seed in (1, 20):
        _images(folder / "one", seed=seed)
        report = ingest(folder, study=the_study())
        assert report.new == []
        assert [case.code for case in report.known] == ["C0002"]
        said = [finding.subject for finding in report.findings if finding.code == "patient-withdrawn"]
        assert said == ["P0001"]
        outcome = IngestPatient.objects.filter(patient=gone).latest("pk").outcome
        assert outcome == ("known" if seed == 1 else "refused")
    assert [case.code for case in gone.cases.all()] == ["C0001"]
    assert not Case.objects.in_use().filter(patient=gone).exists()


def test_a_code_says_the_patient_within_its_study() -> None:
    patient = registered_case("C0001").patient
    assert patient_called("P0001") == patient == patient_called("P0001", study=the_study())
    for code, study in (("P0009", None), ("P0001", second_study())):
        with pytest.raises(RejectedInput, match="patient-unknown"):
            patient_called(code, study=study)
    assert not Withdrawal.objects.exists()
