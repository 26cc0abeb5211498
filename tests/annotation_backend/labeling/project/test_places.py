"""Where people come to in Label Studio: beside a slice stands a list that it is in."""

import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingProject, LabelingTask, ProjectTab, TaskState
from annotation_backend.labeling.project.places import place_of_project, place_of_task
from annotation_backend.labeling.project.tabs import purpose_of
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin
from datasets.study.stage import AssignedBy
from tests.annotation_backend.support.records import accounts, published, registered_case, saved

pytestmark = pytest.mark.django_db

TABS = {TaskState.PENDING: 11, TaskState.RETURNED: 12, TaskState.ANNOTATED: 13, TaskState.APPROVED: 14}
OWN = 15


@pytest.fixture
def people() -> dict[Role, User]:
    return accounts()


@pytest.fixture
def tasks(people: dict[Role, User]) -> list[LabelingTask]:
    """Two of the annotator's slices of a case with the project's tabs, and one that is not theirs."""
    case = registered_case()
    found = published(case)[:3]
    [row] = begin(case)
    assign(row, people[Role.ANNOTATOR], [task.slice_index for task in found[:2]], how=AssignedBy.CLAIM)
    purposes = {**{state.value: tab for state, tab in TABS.items()}, purpose_of(people[Role.ANNOTATOR]): OWN}
    for purpose, tab in purposes.items():
        ProjectTab.objects.create(project=found[0].project, purpose=purpose, label_studio_id=tab)
    return found


def _shown_as(task: LabelingTask, state: TaskState) -> LabelingTask:
    LabelingTask.objects.filter(pk=task.pk).update(state=state, mirrored_state=state)
    return LabelingTask.objects.select_related("project__study").get(pk=task.pk)


def test_a_slice_that_came_back_opens_beside_those_that_came_back(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    saved(tasks[0])
    task = _shown_as(tasks[0], TaskState.RETURNED)
    number = task.label_studio_id
    assert place_of_task(task, people[Role.ANNOTATOR]) == f"/projects/1/data?tab=12&task={number}"


def test_a_state_that_label_studio_does_not_show_yet_leads_nowhere(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    LabelingTask.objects.filter(pk=tasks[0].pk).update(state=TaskState.RETURNED)
    task = LabelingTask.objects.get(pk=tasks[0].pk)
    assert place_of_task(task, people[Role.ANNOTATOR]) == f"/projects/1/data?task={task.label_studio_id}"


def test_what_a_person_drew_opens_among_their_own_drawings_and_what_is_to_be_drawn_in_the_first_tab(
    tasks: list[LabelingTask], people: dict[Role, User]
) -> None:
    saved(tasks[0])
    drawn, free = (_shown_as(tasks[0], TaskState.ANNOTATED), tasks[1])
    annotator = people[Role.ANNOTATOR]
    assert place_of_task(drawn, annotator) == f"/projects/1/data?tab={OWN}&task={drawn.label_studio_id}"
    assert place_of_task(free, annotator) == f"/projects/1/data?task={free.label_studio_id}"


@pytest.mark.parametrize("state", [TaskState.ANNOTATED, TaskState.APPROVED])
def test_no_state_tells_an_annotator_what_others_did_before(
    tasks: list[LabelingTask], people: dict[Role, User], state: TaskState
) -> None:
    """A control case is approved already, and must open as any other does."""
    task = _shown_as(tasks[1], state)
    assert place_of_task(task, people[Role.ANNOTATOR]) == f"/projects/1/data?task={task.label_studio_id}"
    manager = place_of_task(task, people[Role.DATA_MANAGER])
    assert manager == f"/projects/1/data?tab={TABS[state]}&task={task.label_studio_id}"


def test_a_project_opens_at_what_came_back_to_the_person(tasks: list[LabelingTask], people: dict[Role, User]) -> None:
    project = LabelingProject.objects.select_related("study").get()
    annotator, manager = people[Role.ANNOTATOR], people[Role.DATA_MANAGER]
    _shown_as(tasks[2], TaskState.RETURNED)
    assert place_of_project(project, annotator) == "/projects/1/data", "it came back to somebody else"
    _shown_as(tasks[1], TaskState.RETURNED)
    assert place_of_project(project, annotator) == "/projects/1/data?tab=12"
    assert place_of_project(project, manager) == "/projects/1/data"
    ProjectTab.objects.filter(purpose=TaskState.RETURNED.value).delete()
    assert place_of_project(project, annotator) == "/projects/1/data"
