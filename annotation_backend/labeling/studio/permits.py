"""What a person may do in Label Studio: the one place that its door asks; what the stages say, of its tasks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.labeling.studio.own_predictions import own_predictions
from annotation_backend.stages.models import WHOLE_CASE
from annotation_backend.stages.permits import permits_in
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in, studies_of

Places = Mapping[tuple[int, int], "Permit"]


@dataclass(frozen=True)
class Permit:
    """What a person may do with one slice's task; nothing, unless the stages say so."""

    may_look: bool = False
    may_draw: bool = False
    may_prompt: bool = False
    sees_others: bool = False
    sees_model: bool = False
    own_predictions: tuple[int, ...] = ()
    """Label Studio's numbers of those that they are shown in place of the others."""
    hidden_predictions: tuple[int, ...] = ()
    """Those that other people are shown alone."""

    def as_dict(self) -> dict[str, Any]:
        """For the door."""
        return asdict(self)


def may_enter(person: User) -> bool:
    """Whether a person has any business in Label Studio: a part in some study, or the installation's administration."""
    return person.is_active and (person.is_administrator or studies_of(person).exists())


def administrates(person: User) -> bool:
    """Whether all of Label Studio is open to a person, its settings and deletions among it."""
    return person.is_active and person.is_administrator


def projects_of(person: User) -> Sequence[LabelingProject]:
    """The projects of the studies that are there for a person."""
    rows = LabelingProject.objects.filter(study__in=studies_of(person), is_retired=False)
    return list(rows.select_related("study").order_by("pk"))


def permit_of(person: User, task: LabelingTask | None) -> Permit:
    """What a person may do with a slice's task; nothing with one that is none of ours."""
    return Permit() if task is None else permits_of(person, [task])[task]


def permits_of(person: User, tasks: Iterable[LabelingTask]) -> Mapping[LabelingTask, Permit]:
    """The same for several tasks, with as many queries as they have studies.

    Args:
        person: The person.
        tasks: With their projects' studies.
    """
    by_study: dict[Study, list[LabelingTask]] = defaultdict(list)
    for task in tasks:
        by_study[task.project.study].append(task)
    found: dict[LabelingTask, Permit] = {}
    for study, own in by_study.items():
        places = _places(person, study, {task.case_id for task in own})
        alone = own_predictions([task.pk for task in own])
        found.update({task: _with_predictions(_of(places, task), person, alone.get(task.pk, {})) for task in own})
    return found


def tasks_of(person: User, project: LabelingProject) -> dict[int, bool] | None:
    """Label Studio's numbers of the tasks that a person may look at, and whether they see others' work on each; None
    where it is all of the project's."""
    if Role.DATA_MANAGER in roles_in(project.study, person):
        return None
    places = _places(person, project.study, None)
    rows = LabelingTask.objects.filter(project=project, case__in={case for case, _ in places}, label_studio_id__gt=0)
    found = {
        number: places.get((case, index)) or places.get((case, WHOLE_CASE))
        for number, case, index in rows.values_list("label_studio_id", "case", "slice_index")
    }
    return {number: permit.sees_others for number, permit in found.items() if permit is not None}


def _places(person: User, study: Study, cases: Iterable[int] | None) -> Places:
    found = permits_in(person, study, None if cases is None else list(cases))
    return {
        place: Permit(one.may_look, one.may_draw, one.may_draw and one.sees_models, one.sees_others, one.sees_models)
        for place, one in found.items()
    }


def _with_predictions(permit: Permit, person: User, alone: Mapping[int, int]) -> Permit:
    """A permit with the predictions of a task that are for one person alone."""
    if not alone or not permit.may_look:
        return permit
    own = tuple(number for number, whose in alone.items() if whose == person.pk)
    return replace(permit, own_predictions=own, hidden_predictions=tuple(sorted(set(alone) - set(own))))


def _of(places: Places, task: LabelingTask) -> Permit:
    if task.project.is_retired:
        return Permit()
    return places.get((task.case_id, task.slice_index)) or places.get((task.case_id, WHOLE_CASE)) or Permit()
