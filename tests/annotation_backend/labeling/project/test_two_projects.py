"""Two studies, each with its project in Label Studio: nothing that is done in the one touches the other."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role
from annotation_backend.labeling.models import Annotation, LabelingProject, LabelingTask, ProjectTab, StudioChange
from annotation_backend.labeling.project import people as numbers
from annotation_backend.labeling.project import publish as publishing
from annotation_backend.labeling.project.deleted_project import is_gone
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.project.project import current_project, ensure_project
from annotation_backend.labeling.project.publish import publish
from annotation_backend.labeling.saves.store import receive
from annotation_backend.labeling.studio.credentials import basic_auth
from annotation_backend.labeling.views import ml_backend
from annotation_backend.labeling.views.ml_backend import NO_MODEL
from annotation_backend.labeling.watch import services
from annotation_backend.labeling.watch.services import settle
from annotation_backend.registry.models import Promotion, PromptKind
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, take_role
from annotation_backend.studies.services import create_study
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_double import LabelStudioOfMany
from tests.annotation_backend.support.records import accounts, registered_case, save_body, signed_in, the_study
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any) -> LabelStudioOfMany:
    settings.DATA_FOLDER = tmp_path
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
    double = LabelStudioOfMany()
    double.takes_the_place(monkeypatch)
    return double


@pytest.fixture
def other() -> Study:
    """A second study, whose protocol has other labels."""
    the_study()
    return create_study("second", shipped_text("lipoma").replace('name = "Tumour"', 'name = "Lipoma"'))


def _posted(url: str, body: dict[str, Any]) -> Any:
    return Client().post(
        reverse(url), json.dumps(body), content_type="application/json", headers={"authorization": basic_auth()}
    )


def _published(study: Study, code: str) -> list[LabelingTask]:
    case = registered_case(code, study=study, tissue_type="unknown")
    publish(case, findings=[])
    return list(LabelingTask.objects.filter(case=case).select_related("project", "case"))


def test_each_study_has_a_project_with_the_labels_of_its_protocol(
    studio: LabelStudioOfMany, study: Study, other: Study
) -> None:
    one, two = ensure_project(study), ensure_project(other)
    assert (one.label_studio_id, two.label_studio_id) == (1, 2)
    assert (one.title, two.title) == ("Maskloop: tumours on MRI", "Maskloop: second")
    configs = {number: double.project["label_config"] for number, double in studio.projects.items()}
    assert "Tumour" in configs[1]
    assert "Lipoma" not in configs[1]
    assert "Lipoma" in configs[2]
    assert "Tumour" not in configs[2]
    assert [ensure_project(each) for each in (study, other)] == [one, two], "once made, both are found again"
    assert settle(one) == settle(two) == []
    hooks = [hook for double in studio.projects.values() for hook in double.webhooks.values()]
    assert [hook["project"] for hook in hooks] == [1, 2]


def test_tabs_are_those_of_the_studys_annotators(
    studio: LabelStudioOfMany, study: Study, other: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = accounts()
    give_role(other, people[Role.RADIOLOGIST], Role.ANNOTATOR)
    take_role(study, people[Role.ANNOTATOR])
    for each in (study, other):
        ensure_project(each)
    mine = ProjectTab.objects.filter(purpose__startswith="person-").values_list("project__study__name", "purpose")
    assert list(mine) == [("second", f"person-{people[Role.RADIOLOGIST].pk}")]
    give_role(study, people[Role.ANNOTATOR], Role.ANNOTATOR)
    listed = [{"id": person.label_studio_id, "email": person.email} for person in people.values()]

    monkeypatch.setattr(numbers, "call", lambda _method, _path: listed)
    assert ensure_people() == []
    purposes = {(project, purpose) for project, purpose in mine.all()}
    assert purposes == {
        ("second", f"person-{people[Role.RADIOLOGIST].pk}"),
        (study.name, f"person-{people[Role.ANNOTATOR].pk}"),
    }


def test_a_case_becomes_tasks_of_its_studys_project(
    studio: LabelStudioOfMany, study: Study, other: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    ones, twos = _published(study, "C0001"), _published(other, "second-C0001")
    assert {task.project.label_studio_id for task in ones} == {1}
    assert {task.project.label_studio_id for task in twos} == {2}
    assert {data["case"] for data in studio.projects[1].tasks.values()} == {"C0001"}
    assert {data["case"] for data in studio.projects[2].tasks.values()} == {"second-C0001"}
    assert publishing.renew_addresses(twos[0].case)
    assert settle(ones[0].project) == settle(twos[0].project) == []


def test_a_change_in_one_project_is_mended_and_told_there_alone(
    studio: LabelStudioOfMany, study: Study, other: Study
) -> None:
    one, two = (_published(each, code)[0].project for each, code in ((study, "C0001"), (other, "second-C0001")))
    for project in (one, two):
        assert settle(project) == []
    wanted = studio.projects[2].project["label_config"]
    studio.projects[2].project["label_config"] = "<View/>"
    next(iter(studio.projects[2].tasks.values()))["annotated"] = "https://elsewhere.example/picture.png"
    assert settle(one) == []
    assert len(settle(two)) == 2
    assert studio.projects[2].project["label_config"] == wanted
    assert set(StudioChange.objects.values_list("project__study__name", flat=True)) == {"second"}


def test_a_project_that_was_deleted_is_made_anew_for_its_study_alone(
    studio: LabelStudioOfMany, study: Study, other: Study
) -> None:
    one, two = ensure_project(study), ensure_project(other)
    gone = studio.projects.pop(2)
    assert not is_gone(one)
    assert is_gone(two)
    studio.projects[3] = gone  # another number is taken
    new = ensure_project(other)
    assert (new.label_studio_id, new.study) == (4, other)
    assert current_project(study) == one
    retired = LabelingProject.objects.filter(is_retired=True)
    assert [project.pk for project in retired] == [two.pk]


def test_label_studio_is_told_the_model_of_the_projects_study(
    studio: LabelStudioOfMany, study: Study, other: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml_backend, "warm_up", lambda: None)
    for each in (study, other):
        ensure_project(each)
    model = known_model()
    assert [_posted("ml-setup", {"project": f"{n}.1"}).json() for n in (1, 2)] == [{"model_version": NO_MODEL}] * 2
    Promotion.objects.create(model=model, study=other, prompt_kind=PromptKind.AUTOMATIC, label="Lipoma")
    assert _posted("ml-setup", {"project": "1.1"}).json() == {"model_version": NO_MODEL}
    assert _posted("ml-setup", {"project": "2.1"}).json() == {"model_version": "bright-1"}
    answer = _posted("ml-setup", {"project": "9.1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "project-unknown")


def test_a_task_is_known_in_its_own_project_alone(
    studio: LabelStudioOfMany, study: Study, other: Study, settings: Any
) -> None:
    accounts()
    ones, twos = _published(study, "C0001"), _published(other, "second-C0001")
    for task, elsewhere in ((ones[0], 2), (twos[0], 1)):
        answer = _posted("ml-predict", {"project": f"{elsewhere}.1", "tasks": [{"id": task.label_studio_id}]})
        assert answer.status_code == 400
        body = save_body(task, project=elsewhere)
        with pytest.raises(RejectedInput, match="task-unknown"):
            receive({"action": "ANNOTATION_CREATED", "annotation": body, "project": {"id": elsewhere}, "task": {}})
    assert not Annotation.objects.exists()
    for task in (ones[0], twos[0]):
        body = save_body(task)
        place = {"id": task.project.label_studio_id}
        receive({"action": "ANNOTATION_CREATED", "annotation": body, "project": place, "task": {}})
    saved = Annotation.objects.values_list("task__case__study__name", "project__study__name", "label_studio_id")
    assert set(saved) == {(study.name, study.name, 7), ("second", "second", 7)}, "one number in two projects"


def test_a_first_study_of_another_protocol_has_its_name_on_its_project(studio: LabelStudioOfMany) -> None:
    Study.objects.all().delete()
    lungs = create_study("lungs", shipped_text("ct"))
    assert lungs.is_first
    assert ensure_project(lungs).title == "Maskloop: lungs"


def test_labelling_in_the_bar_leads_to_the_project_of_the_pages_study(
    studio: LabelStudioOfMany, study: Study, other: Study, settings: Any
) -> None:
    administrator = signed_in(accounts()[Role.ADMINISTRATOR])
    bar = '<a href="%s">Labelling</a>'
    pages = [page_at("my-work", study=one.name) for one in (study, other)]
    assert bar % "/studio/" in administrator.get(pages[1]).content.decode()
    ensure_project(study), ensure_project(other)
    for page, one in zip(pages, (study, other), strict=True):
        assert bar % page_at("studio-of-study", study=one.name) in administrator.get(page).content.decode()
