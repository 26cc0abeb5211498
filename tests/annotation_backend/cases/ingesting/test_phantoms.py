"""What `make up STUDY=…` prepares without data: the protocol's phantom cohort becomes cases with pictures."""

from pathlib import Path
from typing import Any

import pytest

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.volumes import select_cases
from datasets.phantom.protocol_cohort import write_cohort_of
from tests.annotation_backend.support.records import second_study

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.mark.parametrize("name", ["ct", "pet-ct", "t1", "lipoma"])
def test_a_phantom_of_each_protocol_becomes_a_case_with_pictures(name: str, tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    study = second_study("phantoms", protocol=name)
    write_cohort_of(study.protocol, tmp_path / "phantom", patients=1, size=64)
    report = ingest(tmp_path / "phantom", study=study, workers=1)
    assert [str(finding) for finding in report.findings] == []
    [case] = report.new
    assert case.code == "phantoms-C0001"
    assert set(case.series.values_list("role", flat=True)) == set(study.protocol.roles)
    registered = register_cases(select_cases(None, study=study), workers=1)
    assert [one.code for one in registered.done] == [case.code], registered.findings
    exported = export_cases(select_cases(None, study=study), workers=1)
    assert exported.pictures, exported.findings
    kept = Case.objects.get()
    assert kept.folder == tmp_path / "data" / "studies" / "phantoms" / "cases" / case.code
    assert kept.slices.filter(role=study.protocol.drawn).exists()
