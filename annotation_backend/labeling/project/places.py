"""Where people come to in Label Studio: a task or a project, and beside it the tab that lists what they come for.

Named no tab, Label Studio takes its first one, what is to be annotated, and says "No tasks found" beside a slice that
came back.
"""

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import Annotation, LabelingProject, LabelingTask, ProjectTab, TaskState
from annotation_backend.labeling.project.tabs import purpose_of
from annotation_backend.labeling.studio.permits import tasks_of
from annotation_backend.studies.people import has_role_in


def place_of_task(task: LabelingTask, person: User) -> str:
    """Path of a task's page in Label Studio, with a tab in which the person finds it.

    Args:
        task: One that is there.
        person: Who comes.
    """
    tab = _tab(task.project, _purpose(task, person))
    return f"{_project(task.project)}?{f'tab={tab}&' if tab else ''}task={task.label_studio_id}"


def place_of_project(project: LabelingProject, person: User) -> str:
    """Path of a project's page in Label Studio; at what came back, where anything of the person's did."""
    theirs = tasks_of(person, project)
    back = LabelingTask.objects.filter(project=project, mirrored_state=TaskState.RETURNED)
    is_back = theirs is not None and not theirs.keys().isdisjoint(back.values_list("label_studio_id", flat=True))
    tab = _tab(project, TaskState.RETURNED.value) if is_back else None
    return _project(project) + (f"?tab={tab}" if tab else "")


def _purpose(task: LabelingTask, person: User) -> str:
    """Which tab holds a task for a person.

    Only a data manager is led by the task's state. What is drawn or approved tells others of people whom they may not
    hear of, and a control case from the rest; to them, what they drew is in the tab of their own.
    """
    if has_role_in(task.project.study, person, Role.DATA_MANAGER) or task.mirrored_state == TaskState.RETURNED:
        return task.mirrored_state
    drew = person.label_studio_id and Annotation.objects.filter(task=task, completed_by=person.label_studio_id).exists()
    return purpose_of(person) if drew else ""


def _tab(project: LabelingProject, purpose: str) -> int | None:
    """Label Studio's number of a tab; one that people deleted there it takes for none."""
    tabs = ProjectTab.objects.filter(project=project, purpose=purpose)
    return tabs.values_list("label_studio_id", flat=True).first()


def _project(project: LabelingProject) -> str:
    return f"/projects/{project.label_studio_id}/data"
