"""Training slices are exported of approved masks only."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from annotation_backend.accounts.models import Role
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.training_slices import export_approved
from annotation_backend.review.models import Verdict
from annotation_backend.review.services import decide
from curation.slices.training_files import read_training_slices
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.study.case import QualityScore
from datasets.study.training_slices import TrainingSliceSettings, isotropic_case, training_slices
from tests.annotation_backend.support.records import accounts, published, registered_case, saved

pytestmark = pytest.mark.django_db


def _reviewed(verdict: Verdict) -> CaseMask:
    person = accounts()[Role.RADIOLOGIST]
    task = published(registered_case())[2]
    saved(task)
    mask = assemble(task.case)
    assert mask is not None
    decide(mask, person, verdict=verdict, quality_score=QualityScore.SUFFICIENT, comment="x", accepts_unannotated=True)
    return mask


def test_an_approved_case_is_exported_by_the_command() -> None:
    mask = _reviewed(Verdict.APPROVE)
    out = StringIO()
    call_command("export_training_slices", "--json", "--negatives", "0.5", stdout=out)
    folder = Path(settings.DATA_FOLDER) / "training_slices" / mask.case.code
    wanted = TrainingSliceSettings(negatives_per_positive=0.5)
    made = list(training_slices(isotropic_case(case_volumes(mask.case), read_mask(mask.path), wanted), wanted))
    read = list(read_training_slices(folder))
    assert json.loads(out.getvalue())["slices"] == {mask.case.code: len(made)}
    assert [(one.plane, one.index, one.tumour_pixels) for one in read] == [
        (one.plane, one.index, one.tumour_pixels) for one in made
    ]
    assert all((one.channels == other.channels).all() for one, other in zip(read, made, strict=True))


def test_a_dry_run_names_the_cases_and_writes_nothing() -> None:
    code = _reviewed(Verdict.APPROVE).case.code
    folder = Path(settings.DATA_FOLDER) / "training_slices"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    out = StringIO()
    call_command("export_training_slices", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue())["to_export"] == [code]
    for wrong in (["--case", "C0099"], ["--percentiles", "90", "10"]):
        with pytest.raises(SystemExit) as left:
            call_command("export_training_slices", "--dry-run", *wrong, stdout=StringIO())
        assert left.value.code == 2
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_returned_or_unknown_case_is_refused() -> None:
    code = _reviewed(Verdict.RETURN).case.code
    for codes in (None, [code], ["C0099"]):
        with pytest.raises(RejectedInput) as caught:
            export_approved(codes, TrainingSliceSettings())
        assert caught.value.code == "nothing-approved"


def test_a_changed_mask_is_refused() -> None:
    mask = _reviewed(Verdict.APPROVE)
    mask.path.write_bytes(mask.path.read_bytes() + b" ")
    with pytest.raises(RejectedInput) as caught:
        export_approved(None, TrainingSliceSettings())
    assert caught.value.code == "mask-changed"


def test_slices_of_a_case_that_was_excluded_while_they_were_written_go(monkeypatch: pytest.MonkeyPatch) -> None:
    from annotation_backend.cases.exclusion import exclude
    from curation.slices import training_files

    mask = _reviewed(Verdict.APPROVE)
    write = training_files.export_training_slices

    def excluded_meanwhile(*words: object, **options: object) -> object:
        manifest = write(*words, **options)  # type: ignore[arg-type]
        exclude(mask.case, reason="Consent withdrawn.")
        return manifest

    monkeypatch.setattr(training_files, "export_training_slices", excluded_meanwhile)
    with pytest.raises(RejectedInput, match="approval-ended"):
        export_approved(None, TrainingSliceSettings())
    assert not (Path(settings.DATA_FOLDER) / "training_slices" / mask.case.code).exists()
