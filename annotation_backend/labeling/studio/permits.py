"""What a person may do in Label Studio: the one place that its door asks.

Of a study whose protocol assigns nothing: who draws may draw every slice, and the study's other people may look.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.studies.people import roles_in, studies_of

DRAWING = frozenset({Role.ANNOTATOR, Role.RADIOLOGIST})
"""Roles whose people draw."""


@dataclass(frozen=True)
class Permit:
    """What a person may do with one slice's task; nothing, unless somebody says so."""

    may_look: bool = False
    may_draw: bool = False
    may_prompt: bool = False
    sees_others: bool = False
    sees_model: bool = False

    def as_dict(self) -> dict[str, bool]:
        """For the door."""
        return asdict(self)


def may_enter(person: User) -> bool:
    """Whether a person has any business in Label Studio: a part in some study, or the installation's administration."""
    return (person.is_active and studies_of(person).exists()) or (person.is_active and person.is_administrator)


def projects_of(person: User) -> Sequence[LabelingProject]:
    """The projects of the studies that are there for a person."""
    rows = LabelingProject.objects.filter(study__in=studies_of(person), is_retired=False)
    return list(rows.select_related("study").order_by("pk"))


def permit_of(person: User, task: LabelingTask | None) -> Permit:
    """What a person may do with a slice's task; nothing with one that is none of ours."""
    return Permit() if task is None else permits_of(person, [task])[task]


def permits_of(person: User, tasks: Iterable[LabelingTask]) -> Mapping[LabelingTask, Permit]:
    """The same for several tasks, with as many queries as they have studies."""
    found = list(tasks)
    roles = {study: roles_in(study, person) for study in {task.project.study for task in found}}
    return {task: _permit(person, task, roles[task.project.study]) for task in found}


def _permit(person: User, task: LabelingTask, roles: frozenset[Role]) -> Permit:
    if task.project.is_retired or not roles:
        return Permit()
    draws = not roles.isdisjoint(DRAWING) or person.is_administrator
    return Permit(may_look=True, may_draw=draws, may_prompt=draws, sees_others=True, sees_model=True)


def tasks_of(person: User, project: LabelingProject) -> frozenset[int] | None:
    """Label Studio's numbers of the tasks that a person may look at; None where it is the project with all its tasks."""
    return None if roles_in(project.study, person) else frozenset()
