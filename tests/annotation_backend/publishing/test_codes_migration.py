"""Releases of an installation of before hold the cases that they held, under the codes that they used."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.cases.models import Case, Patient
from annotation_backend.publishing.contents.codes import former_codes, give_codes
from annotation_backend.publishing.models import Release
from annotation_backend.studies.models import Study
from tests.annotation_backend.support.records import second_study

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BEFORE = [("publishing", "0003_rows_of_a_study"), ("cases", "0008_registration_of_an_image")]


def _back() -> Any:
    MigrationExecutor(connection).migrate(BEFORE)
    return MigrationExecutor(connection).loader.project_state(BEFORE).apps


def _fill(apps: Any, studies: list[Study]) -> None:
    cases, releases = apps.get_model("cases", "Case").objects, apps.get_model("publishing", "Release").objects
    for study in studies:
        for version, codes in (("1.0.0", ("C0001", "C0002")), ("1.1.0", ("C0001",)), ("2.0.0", ())):
            release = releases.create(
                study_id=study.pk, name="thigh", version=version, digest="0" * 64, folder=f"releases/{study}-{version}"
            )
            release.cases.set(
                cases.filter(study_id=study.pk, code__in=[f"{study.code('C', 0)[:-4]}{c[1:]}" for c in codes])
            )


def test_what_was_released_is_known_by_the_codes_of_that_time(study: Study) -> None:
    studies = [study, second_study()]
    for each in studies:
        for number in range(1, 4):
            patient = Patient.objects.create(study=each, code=each.code("P", number), pseudonym=str(number))
            Case.objects.create(study=each, code=each.code("C", number), patient=patient, source_sha256=str(number))
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        _fill(_back(), studies)
    finally:
        MigrationExecutor(connection).migrate(newest)
    assert Release.objects.count() == 6
    for each in studies:
        held = {
            release.version: list(release.held.order_by("code").values_list("code", "case__code"))
            for release in Release.objects.filter(study=each)
        }
        first, second = each.code("C", 1), each.code("C", 2)
        assert held == {"1.0.0": [(first, first), (second, second)], "1.1.0": [(first, first)], "2.0.0": []}
        cases = list(Case.objects.filter(study=each).order_by("code"))
        assert give_codes(each, cases[1:]) == {cases[1].pk: "sub-0001_ses-1", cases[2].pk: "sub-0002_ses-1"}
        assert former_codes(cases) == {cases[0].pk: (first,), cases[1].pk: (second,)}
    assert {case.consent for case in Case.objects.all()} == {""}
