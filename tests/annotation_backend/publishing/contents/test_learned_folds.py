"""The folds of a study's newest model are those that its releases suggest, as long as they hold all their cases."""

import pytest

from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.publishing.contents.learned_folds import learned_folds
from annotation_backend.registry.models import Model
from annotation_backend.studies.models import Study

pytestmark = pytest.mark.django_db

CODES = {"C0001": "sub-0002_ses-1", "C0002": "sub-0001_ses-1", "C0003": "sub-0003_ses-1"}


def _run(study: Study, folds: list[list[str]], *, status: RunStatus = RunStatus.DONE, has_model: bool = True) -> Run:
    number = Run.objects.count()
    snapshot = Snapshot.objects.create(study=study, digest=str(number), content={"cases": []})
    model = None
    if has_model:
        names = {"name": "m", "version": str(number), "method": "t1", "folder": "f", "prompt_kinds": []}
        model = Model.objects.create(**names, digest=str(number), study=study)
    return Run.objects.create(
        study=study, snapshot=snapshot, model=model, method="t1", settings={}, status=status, folds=folds
    )


def test_they_are_called_by_the_release_s_codes(study: Study) -> None:
    assert learned_folds(study, CODES) is None
    _run(study, [["C0001", "C0002"], ["C0003"]])
    assert learned_folds(study, CODES) == (("sub-0001_ses-1", "sub-0002_ses-1"), ("sub-0003_ses-1",))


def test_the_newest_that_gave_a_model_counts(study: Study) -> None:
    _run(study, [["C0001", "C0002"], ["C0003"]])
    _run(study, [["C0001"], ["C0002", "C0003"]])
    _run(study, [])
    _run(study, [["C0003"], ["C0001", "C0002"]], status=RunStatus.FAILED)
    _run(study, [["C0003"], ["C0001", "C0002"]], has_model=False)
    assert learned_folds(study, CODES) == (("sub-0002_ses-1",), ("sub-0001_ses-1", "sub-0003_ses-1"))


def test_cases_that_left_are_in_no_fold_and_with_cases_that_came_there_are_none(study: Study) -> None:
    _run(study, [["C0001", "C0002"], ["C0003"]])
    fewer = {code: CODES[code] for code in ("C0001", "C0003")}
    assert learned_folds(study, fewer) == (("sub-0002_ses-1",), ("sub-0003_ses-1",))
    assert learned_folds(study, {code: CODES[code] for code in ("C0001", "C0002")}) is None
    assert learned_folds(study, {**CODES, "C0004": "sub-0004_ses-1"}) is None
