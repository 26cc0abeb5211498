"""Every page of a study says the same to a blind reader before and after another one drew and handed in."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.http import HttpResponseBase
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling import jobs
from annotation_backend.labeling.models import CaseMask
from annotation_backend.readers.jobs import compare_readings, summarise_agreement
from annotation_backend.stages.assigning import assign
from datasets.study.stage import AssignedBy
from tests.annotation_backend.readers.several import (
    STAGES,
    opened,
    person_of,
    published_case,
    read,
    square,
    study_with,
)
from tests.annotation_backend.support.addresses import PLAIN, every_address
from tests.annotation_backend.support.records import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("studio_up")]

DRAWN = {1: square(slice(4, 10), slice(4, 10)), 2: square(slice(4, 10), slice(4, 10))}
PAGES = [
    address
    for address in every_address()
    if not address.is_former and (address.is_of_a_study or address.name in ("home", "landing"))
]
_OF_THE_MOMENT = re.compile(r'csrfmiddlewaretoken" value="[^"]*"|ticket=[^"&]*|\d+ (?:minutes?|seconds?|hours?)')


def _text(answer: HttpResponseBase) -> str:
    content = answer.getvalue() if answer.streaming or hasattr(answer, "getvalue") else b""  # type: ignore[attr-defined]
    return _OF_THE_MOMENT.sub(
        "", f"{answer.status_code} {answer.get('Location', '')} {content.decode(errors='replace')}"
    )


def _seen(client: Client, values: Mapping[str, Any]) -> dict[str, str]:
    return {page.name: _text(client.get(page.of(values))) for page in PAGES}


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RADIOLOGIST])
def test_no_page_changes(role: Role, tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)
    study = study_with(STAGES.replace('done_by = "annotator"', f'done_by = "{role.value}"'))
    first, second = (person_of(study, name, role, number) for name, number in (("first", 51), ("second", 52)))
    case, _ = published_case(study)
    row = opened(case)
    assign(row, second, how=AssignedBy.HAND)
    values = {**PLAIN, "study": study.name, "code": case.code, "role": case.drawn_role}
    before = _of(second, values)
    read(first, row, DRAWN, number=600)
    compare_readings.call(row=row.pk)
    summarise_agreement.call(study=study.name)
    after = _of(second, {**values, "mask_id": CaseMask.objects.get(reading__person=first).pk})
    assert {name for name in before if before[name] != after[name]} == set()


def _of(person: User, values: Mapping[str, Any]) -> dict[str, str]:
    client = signed_in(person)
    _seen(client, values)  # what a person opens first is told at its second time
    return _seen(client, values)
