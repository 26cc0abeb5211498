"""Tissue type and site that are corrected in `cases.csv` after a case came in."""

from pathlib import Path

import pytest

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from datasets.finding import Finding
from datasets.study.case import Consent
from tests.annotation_backend.support.cohorts import write_small_cohort
from tests.annotation_backend.support.records import the_study

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_cohort(tmp_path_factory.mktemp("cohort"), patients=1)


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()


def _said(cohort: Path, tissue: str, site: str = "thigh") -> list[Finding]:
    """Ingests with this row for the one patient; the findings of cases.csv and of the description."""
    [name] = {line.split(",")[0] for line in (cohort / "cases.csv").read_text().splitlines()[1:]}
    (cohort / "cases.csv").write_text(f"patient_id,tissue_type,anatomical_site\n{name},{tissue},{site}\n")
    codes = ("description-corrected", "tissue-type-too-late", "tissue-type-unknown")
    return [finding for finding in ingest(cohort, workers=1, study=the_study()).findings if finding.code in codes]


def _consents(cohort: Path, cell: str) -> list[Finding]:
    """Ingests with this consent for the one patient; findings about it."""
    [name] = {line.split(",")[0] for line in (cohort / "cases.csv").read_text().splitlines()[1:]}
    (cohort / "cases.csv").write_text(f"patient_id,tissue_type,anatomical_site,consent\n{name},nerve,thigh,{cell}\n")
    found = ingest(cohort, workers=1, study=the_study()).findings
    return [finding for finding in found if "consent" in finding.message]


def _task() -> LabelingTask:
    project = LabelingProject.objects.create(label_studio_id=1, title="x", study=the_study())
    return LabelingTask.objects.create(project=project, case=Case.objects.get(), slice_index=0, label_studio_id=5)


def test_a_corrected_tissue_type_is_taken_and_the_other_sequence_drawn_on(cohort: Path) -> None:
    assert [finding.code for finding in _said(cohort, "fatty")] == ["tissue-type-unknown"]
    assert Case.objects.get().tissue_type == "unknown"
    _task()
    [finding] = _said(cohort, "fat")
    assert finding.code == "description-corrected"
    assert "T1 is drawn on instead of T2" in finding.message
    assert Case.objects.get().drawn_role == "t1"
    assert _said(cohort, "fat") == []


def test_a_type_that_leaves_the_sequence_is_taken_also_where_somebody_drew(cohort: Path) -> None:
    _said(cohort, "nerve")
    LabelingTask.objects.filter(pk=_task().pk).update(state=TaskState.ANNOTATED)
    assert [finding.code for finding in _said(cohort, "vascular")] == ["description-corrected"]
    assert Case.objects.get().tissue_type == "vascular"


def test_a_type_that_changes_the_sequence_under_a_drawing_is_a_finding_whose_remedy_works(cohort: Path) -> None:
    _said(cohort, "nerve")
    LabelingTask.objects.filter(pk=_task().pk).update(state=TaskState.ANNOTATED)
    [finding] = _said(cohort, "fat")
    assert finding.code == "tissue-type-too-late"
    assert Case.objects.get().tissue_type == "nerve"
    assert "Write nerve into the row" in finding.remedy
    assert _said(cohort, "nerve") == []


def test_what_the_table_does_not_say_changes_nothing_and_a_site_is_taken(cohort: Path) -> None:
    _said(cohort, "nerve")
    assert [finding.code for finding in _said(cohort, "", "")] == []
    assert (Case.objects.get().tissue_type, Case.objects.get().anatomical_site) == ("nerve", "thigh")
    assert [finding.code for finding in _said(cohort, "", "knee")] == ["description-corrected"]
    assert Case.objects.get().anatomical_site == "knee"


def test_a_consent_that_is_refused_later_is_taken_and_one_that_is_not_said_changes_nothing(cohort: Path) -> None:
    assert _consents(cohort, "yes") == []
    assert Case.objects.get().consent == Consent.GIVEN
    assert _consents(cohort, "") == []
    assert Case.objects.get().consent == Consent.GIVEN
    [finding] = _consents(cohort, "no")
    assert (finding.code, finding.subject) == ("description-corrected", Case.objects.get().code)
    assert "goes into no release any more" in finding.message
    assert Case.objects.get().consent == Consent.REFUSED
    assert _consents(cohort, "no") == []
    assert [finding.code for finding in _consents(cohort, "perhaps")] == ["consent-unknown"]
    assert [finding.code for finding in _consents(cohort, "yes")] == ["description-corrected"]
    assert Case.objects.get().consent == Consent.GIVEN
