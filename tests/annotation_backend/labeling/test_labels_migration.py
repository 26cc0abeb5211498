"""Settings and masks from before protocols: oedema stays offered where it was, masks hold the tumour."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.labeling.interface.project_settings import project_settings
from annotation_backend.labeling.models import CaseMask, LabelingProject, SettingsChange
from datasets.study.shipped_protocols import FIRST, shipped_protocol
from tests.annotation_backend.support.records import accounts, published, registered_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MSTT = shipped_protocol(FIRST)


def _migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("labeling", name)])
    return MigrationExecutor(connection).loader.project_state([("labeling", name)]).apps


def test_oedema_stays_offered_where_it_was_and_masks_say_that_they_hold_the_tumour() -> None:
    accounts()
    project = published(registered_case())[0].project
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        models = _migrate("0009_rows_of_a_study").get_model
        case = models("labeling", "LabelingTask").objects.values_list("case", flat=True)[0]
        rows = models("labeling", "SettingsChange").objects
        for mask_format, has_oedema in (("brush", False), ("bitmask", True)):
            rows.create(project_id=project.pk, mask_format=mask_format, has_oedema=has_oedema, prompt_models={})
        models("labeling", "CaseMask").objects.create(
            case_id=case,
            inputs_sha256="0" * 64,
            file="masks/a.nii.gz",
            sha256="1" * 64,
            annotated_slices=[2],
            unannotated_slices=[],
        )
    finally:
        MigrationExecutor(connection).migrate(newest)
    first, second = SettingsChange.objects.order_by("pk")
    assert (first.mask_format, first.labels) == ("brush", {})
    assert (second.mask_format, second.labels) == ("bitmask", {"Oedema": True})
    now = project_settings(LabelingProject.objects.get(pk=project.pk))
    assert now.hidden_labels(MSTT) == frozenset()
    mask = CaseMask.objects.get()
    assert mask.label_names == {1: "Tumour"}
    assert not mask.is_of_today(MSTT.label_names)
