"""`transfer_mask`: a case's tumour on another series of the patient, which is registered for it."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.transfer import transfer_to_series
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume, write_volume
from datasets.image.resample import resample_mask
from datasets.image.volume import Grid, Volume
from tests.annotation_backend.support.cohorts import write_small_cohort
from tests.annotation_backend.support.records import the_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(tmp_path: Path, settings) -> Case:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    (found,) = ingest(write_small_cohort(tmp_path / "studies", patients=1), study=the_study()).new
    register_cases([found], workers=1)
    export_cases([found], workers=1)
    return Case.objects.get(pk=found.pk)


def third_series(case: Case, folder: Path) -> tuple[Path, np.ndarray]:
    """The case's own T1, as if it were another sequence that was taken after the patient moved."""
    t1 = read_volume(case.series.get(role="t1").path)
    motion = np.eye(4)
    motion[:3, 3] = (4.0, -6.0, 3.0)
    path = folder / "other.nii.gz"
    write_volume(path, Volume(t1.data, Grid(t1.grid.shape, motion @ t1.grid.affine)))
    return path, motion


@pytest.mark.slow
def test_a_tumour_lands_where_the_other_series_shows_it(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series, motion = third_series(case, tmp_path)
    output = tmp_path / "mask.nii.gz"
    call_command("transfer_mask", case.code, str(series), str(output), "--json")
    told = json.loads(capsys.readouterr().out)
    found = read_mask(output)
    assert told["verdict"] == "accept"
    assert told["voxels"] == found.foreground.sum() > 0
    assert found.grid.matches(read_volume(series).grid)
    tumour = imported_label(case)
    there = np.array(case.registrations.get().record["transform"])
    truth = resample_mask(tumour, found.grid, transform=np.linalg.inv(motion @ there)).foreground
    assert 2 * (truth & found.foreground).sum() / (truth.sum() + found.foreground.sum()) > 0.9


@pytest.mark.slow
def test_what_does_not_fit_is_refused_and_nothing_is_written(case: Case, tmp_path: Path) -> None:
    series, _ = third_series(case, tmp_path)
    output = tmp_path / "mask.nii.gz"
    noise = tmp_path / "noise.nii.gz"
    grid = read_volume(series).grid
    write_volume(noise, Volume(np.random.default_rng(3).normal(size=grid.shape).astype(np.float32), grid))
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong = [(noise, output), (empty, output), (series, tmp_path / "mask.nii"), (tmp_path / "absent.nii.gz", output)]
    for given, place in wrong:
        with pytest.raises(RejectedInput):
            transfer_to_series(case, given, place)
        assert not place.exists()
    with pytest.raises(RejectedInput):
        transfer_to_series(case, series, output, mask=noise)
