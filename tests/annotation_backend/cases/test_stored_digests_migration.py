"""Pictures of an earlier version keep their windows: their digests come from the export's own description."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from annotation_backend.cases.models import Case
from tests.annotation_backend.support.records import registered_case

pytestmark = pytest.mark.django_db(transaction=True)


def _migrate(targets: list[tuple[str, str]]) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)


@pytest.mark.slow
def test_windows_of_earlier_exports_are_compared_and_those_without_a_description_are_not_shown() -> None:
    described, undescribed = registered_case("C0001"), registered_case("C0002")
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    described.slices.update(windows={})
    undescribed.slices.update(windows={})
    [description] = undescribed.folder.glob("slices/*/slices.json")
    description.write_text("{")
    try:
        _migrate([("cases", "0002_cohort")])
    finally:
        _migrate(newest)
    for case, windows in ((described, ["standard", "bright", "wide"]), (undescribed, ["standard"])):
        urls = Case.objects.get(pk=case.pk).slices.get(role="t2", index=2).urls_in_windows()
        assert list(urls) == windows
        assert {Client().get(url).status_code for url in urls.values()} == {200}
