"""Tabs: one for each task state and each annotator, made once, and left as people leave them."""

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project import tabs
from annotation_backend.labeling.project.tabs import ORDER, ensure_tabs
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble
from tests.annotation_backend.support.records import accounts, first_account, member, the_study

pytestmark = pytest.mark.django_db

STAGES = ["To annotate", "Returned by review", "Annotated", "Approved"]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    monkeypatch.setattr(tabs, "call", double.call)
    return double


@pytest.fixture
def project() -> LabelingProject:
    return LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())


def _titles(studio: LabelStudioDouble) -> list[str]:
    return [tab["title"] for tab in studio.tabs.values()]


def test_each_stage_and_each_annotator_gets_a_tab_in_the_order_of_patient_and_slice(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    accounts()
    assert ensure_tabs(project) == len(STAGES) + 1
    assert _titles(studio) == [*STAGES, "Mine: annotator"]
    assert {tuple(tab["ordering"]) for tab in studio.tabs.values()} == {(ORDER,)}
    [mine] = [tab for tab in studio.tabs.values() if tab["title"].startswith("Mine")]
    number = first_account(Role.ANNOTATOR).label_studio_id
    assert mine["filters"]["items"] == [
        {"filter": "filter:tasks:annotators", "operator": "contains", "type": "List", "value": number}
    ]


def test_tabs_are_made_once_and_stay_as_people_rename_change_or_delete_them(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    accounts()
    ensure_tabs(project)
    studio.tabs[1] |= {"title": "Monday's work", "ordering": ["tasks:id"]}
    del studio.tabs[2]
    before = {number: dict(tab) for number, tab in studio.tabs.items()}
    studio.changes.clear()
    assert ensure_tabs(project) == 0
    assert studio.tabs == before
    assert studio.changes == []
    assert ensure_tabs(project, anew=True) == 1
    assert sorted(_titles(studio)) == sorted(["Monday's work", *STAGES[1:], "Mine: annotator"])


def test_a_new_annotator_gets_a_tab_and_others_and_those_without_an_account_there_get_none(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    accounts()
    ensure_tabs(project)
    member("anna.very-long-name-indeed-yes@hospital.org", Role.ANNOTATOR, label_studio_id=9)
    member("bert@hospital.org", Role.RADIOLOGIST, label_studio_id=10)
    member("carl@hospital.org", Role.ANNOTATOR)
    User.objects.create_user("dora@hospital.org", label_studio_id=11)
    assert ensure_tabs(project) == 1
    assert _titles(studio)[-1] == "Mine: anna.very-long-name-inde"


def test_a_tab_of_an_earlier_version_is_taken_over_and_only_its_order_changes(
    studio: LabelStudioDouble, project: LabelingProject
) -> None:
    former = {"title": STAGES[0], "ordering": ["tasks:id"], "filters": {"conjunction": "and", "items": []}}
    studio.tabs = {5: dict(former), 6: {**former, "title": STAGES[1], "ordering": ["tasks:data.case"]}}
    assert ensure_tabs(project) == len(STAGES) - 2
    assert studio.tabs[5] == {**former, "ordering": [ORDER]}
    assert studio.tabs[6]["ordering"] == ["tasks:data.case"]
