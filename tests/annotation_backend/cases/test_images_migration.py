"""A registration of before, with its two files, becomes rows of images; all that was bound to it holds."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case, RegistrationRedo, VerdictOfRegistration
from annotation_backend.cases.registration.export import is_exported
from annotation_backend.cases.registration.register import would_register
from annotation_backend.cases.registration.verdicts import decide_registration
from annotation_backend.cases.registration.volumes import case_volumes, placement_in
from annotation_backend.labeling.studio.task_data import pictures_by_index, task_data
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.review.seen import seen_now
from tests.annotation_backend.support.records import accounts, approve, published, registered_case, saved

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BEFORE = "0006_rows_of_a_study"


def _back() -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("cases", BEFORE)])
    return MigrationExecutor(connection).loader.project_state([("cases", BEFORE)]).apps


def test_an_approved_case_of_before_stays_approved_and_its_files_where_they_lie(tmp_path: Path, settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    people = accounts()
    case = registered_case()
    saved(published(case)[2])
    mask = assemble(case)
    assert mask is not None
    approve(mask, people[Role.RADIOLOGIST])
    record = case.images_sha256
    radiologist, manager = people[Role.RADIOLOGIST], people[Role.DATA_MANAGER]
    decide_registration(case, radiologist, verdict=VerdictOfRegistration.ACCEPT, record_sha256=record)
    RegistrationRedo.objects.create(case=case, role="t1", preset="fast", motion="rigid", person=manager)
    seen = seen_now(case).sha256
    data = task_data(case, 2, pictures_by_index(case)[2])
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        row = _back().get_model("cases", "Registration").objects.get()
        assert (row.t1_file, row.t2_file, row.record_sha256) == ("t1.nii.gz", "t2.nii.gz", record)
        assert not hasattr(row, "role")
    finally:
        MigrationExecutor(connection).migrate(newest)
    case = Case.objects.get()
    assert {image.role: image.file for image in case.images.all()} == {"t1": "t1.nii.gz", "t2": "t2.nii.gz"}
    assert {image.role: image.sha256 for image in case.images.all()} == case.registrations.get().record["outputs"]
    registration = case.registrations.get()
    assert (registration.role, registration.fixed_role, registration.verdict) == ("t1", "t2", "accept")
    assert case.images_sha256 == registration.record_sha256 == case.pictured_sha256 == record
    assert is_exported(case)
    assert case_volumes(case).roles == ("t1", "t2")
    assert seen_now(case).sha256 == seen
    assert [review.mask.case for review in approved_reviews()] == [case]
    assert case.registration_verdicts.get().role == "t1"
    assert case.redos.get().role == ""
    assert task_data(case, 2, pictures_by_index(case)[2]) == data


def test_a_fat_tumour_of_before_keeps_its_grid_and_masks_until_it_is_registered_again(tmp_path: Path, settings) -> None:
    """T1 was moved although it is drawn on; nothing of that changes by itself."""
    settings.DATA_FOLDER = tmp_path / "data"
    case = registered_case(tissue_type="fat")
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        _back()
    finally:
        MigrationExecutor(connection).migrate(newest)
    case = Case.objects.get()
    registration = case.registrations.get()
    assert (registration.role, registration.fixed_role, case.drawn_role) == ("t1", "t2", "t1")
    pair = pictures_by_index(case)[2]
    data = task_data(case, 2, pair)
    assert data["annotated_sequence"] == "Draw here: T1 (registered)", "as it was published"
    assert data["companion_sequence"] == "T2 fat-saturated"
    assert placement_in(case, "t2").deformation is None
    assert would_register([case], again=True)[0] == [case]
