# mypy: ignore-errors
"""What has to be so for each kind of row in the table: a project, task, annotation or draft that is the person's."""

import json
from dataclasses import dataclass, field
from uuid import UUID

from annotation_backend.labeling.studio_door.addresses import Who
from annotation_backend.labeling.studio_door.permits import PERMITS, Answer, Permit
from annotation_backend.labeling.studio_door.refusals import drawn_by_hand, malformed, not_allowed

NEXT_TASK = "next_task"
"""Label Studio's name of the one action on tasks that people may have it do."""

_DRAWN = frozenset(
    {
        *("result", "lead_time", "started_at", "draft_id", "parent_prediction", "parent_annotation", "project"),
        *("was_cancelled", "id", "task", "selected", "skipped"),
    }
)
"""What the editor sends with a drawing. `completed_by`, which Label Studio would believe, is not among it."""

_LOCK = "unique_id"
"""The name of a lock in a save: a task that *Label All Tasks* offers comes with one, and is saved once under it."""

_SAVED = frozenset({*_DRAWN, _LOCK})

_DRAFTED = frozenset({*_DRAWN, "annotation", "user", "created_at", "created_username", "was_postponed", "import_id"})


@dataclass
class Asked:
    """A request of a person, and what was found out about it."""

    request: object
    who: Who
    values: dict
    entry: str
    person: int
    is_to_be_narrowed: bool = False
    tells_of_others: bool = False
    project: int | None = None
    answer: Answer = field(default_factory=Answer)

    def of(self, project: int | None = None, task: int | None = None) -> Answer:
        """Our service's answer about a project and one of its tasks; kept for lists and for narrowing."""
        self.project = project
        self.answer = PERMITS.of(self.entry, self.person, project=project, task=task)
        return self.answer

    def of_task(self, task: int) -> Permit:
        """The person's permit for a task, whatever its project."""
        from tasks.models import Task

        project = Task.objects.filter(pk=task).values_list("project_id", flat=True).first()
        if project is None:
            raise not_allowed()
        return self.of(project, task).permit


def _person(_asked):
    """Having an entry and a study is all."""


def _projects(asked):
    asked.of()


def _own_profile(asked):
    _require(str(asked.values.get("pk")) == str(asked.person))


def _project(asked):
    _require_project(asked, asked.values["pk"])


def _project_asked(asked):
    _require_project(asked, _number(asked.request.GET.get("project")))


def _project_of_tasks(asked):
    """Of a query that names a project, a tab, or both: Label Studio takes the project of either."""
    from data_manager.models import View

    project, view = asked.request.GET.get("project"), asked.request.GET.get("view")
    if view and _number(view):
        found = View.objects.filter(pk=_number(view)).values_list("project_id", flat=True).first()
        _require(found is not None and project in (None, "", str(found)))
        project = found
    _require_project(asked, _number(project))


def _next_task(asked):
    if "pk" in asked.values:
        _project(asked)
        return
    _project_of_tasks(asked)
    _require(asked.request.GET.get("id") == NEXT_TASK and "project" in asked.request.GET)
    _body(asked, None)


def _task(asked):
    _require(asked.of_task(asked.values["pk"]).may_look)


def _drawing(asked):
    _require(asked.of_task(asked.values["pk"]).may_draw)
    _require_save(asked, asked.values["pk"])


def _drafts(asked):
    _require(asked.of_task(asked.values["pk"]).may_draw)
    _require_own_annotation(asked, asked.values.get("annotation_id"))


def _drafting(asked):
    _require(asked.of_task(asked.values["pk"]).may_draw)
    body = _body(asked, _DRAFTED)
    _require_parents(asked, body, asked.values["pk"])
    _require_own_annotation(asked, asked.values.get("annotation_id"))
    _require_own_annotation(asked, body.get("annotation"))


def _draft(asked):
    from tasks.models import AnnotationDraft

    row = AnnotationDraft.objects.filter(pk=asked.values["pk"]).values("task_id", "user_id").first()
    _require(row is not None and row["user_id"] == asked.person)
    permit = asked.of_task(row["task_id"])
    _require(permit.may_look if asked.request.method in ("GET", "HEAD") else permit.may_draw)
    if asked.request.method == "PATCH":
        body = _body(asked, _DRAFTED)
        _require_parents(asked, body, row["task_id"])
        _require_own_annotation(asked, body.get("annotation"))


def _annotation(asked):
    row = _row_of_annotation(asked.values["pk"])
    permit = asked.of_task(row["task_id"])
    _require(permit.may_look and (permit.sees_others or row["completed_by_id"] == asked.person))


def _own_annotation(asked):
    row = _row_of_annotation(asked.values["pk"])
    _require(row["completed_by_id"] == asked.person and asked.of_task(row["task_id"]).may_draw)
    _require_save(asked, row["task_id"])


def _own_skip(asked):
    row = _row_of_annotation(asked.values["pk"])
    _require(row["completed_by_id"] == asked.person and row["was_cancelled"])
    _require(asked.of_task(row["task_id"]).may_draw)


def _prompt(asked):
    permit = asked.of_task(_number(_body(asked, None).get("task")))
    if permit.may_draw and not permit.may_prompt:
        raise drawn_by_hand()
    _require(permit.may_prompt)
    from ml.models import MLBackend

    _require(MLBackend.objects.filter(pk=asked.values["pk"], project_id=asked.project).exists())


CONDITIONS = {
    Who.PERSON: _person,
    Who.OWN_PROFILE: _own_profile,
    Who.PEOPLE: _person,
    Who.PROJECTS: _projects,
    Who.PROJECT: _project,
    Who.PROJECT_COUNTS: _project,
    Who.PROJECT_ASKED: _project_asked,
    Who.TABS: _project_asked,
    Who.BACKENDS: _project_asked,
    Who.STATE: _project_asked,
    Who.TASKS: _project_of_tasks,
    Who.NEXT_TASK: _next_task,
    Who.TASK: _task,
    Who.ANNOTATIONS: _task,
    Who.DRAWING: _drawing,
    Who.DRAFTS: _drafts,
    Who.DRAFTING: _drafting,
    Who.DRAFT: _draft,
    Who.ANNOTATION: _annotation,
    Who.OWN_ANNOTATION: _own_annotation,
    Who.OWN_SKIP: _own_skip,
    Who.PROMPT: _prompt,
}
"""Raise `Refused` where a person does not come in."""


def _require(is_so):
    if not is_so:
        raise not_allowed()


def _require_project(asked, project):
    _require(project in asked.of(project).projects)


def _row_of_annotation(number):
    from tasks.models import Annotation

    row = Annotation.objects.filter(pk=number).values("task_id", "completed_by_id", "was_cancelled").first()
    _require(row is not None)
    return row


def _require_own_annotation(asked, number):
    """Refuses a draft of somebody else's annotation; none is a draft of a new one."""
    if number is not None:
        _require(_row_of_annotation(_number(number))["completed_by_id"] == asked.person)


def _require_save(asked, task):
    """Refuses a save that the editor would not send; a lock is Label Studio's own word, a UUID."""
    body = _body(asked, _SAVED)
    if _LOCK in body and not _is_uuid(body[_LOCK]):
        raise malformed("A save names no lock but Label Studio's own.")
    _require_parents(asked, body, task)


def _require_parents(asked, body, task):
    """Refuses a save that says it began from what the person does not see, or that it is another task's.

    Label Studio writes the prediction that a save began from into the save, where it could be read.
    """
    from tasks.models import Annotation, Prediction

    permit = asked.answer.permit
    if body.get("parent_prediction") is not None:
        number = _number(body["parent_prediction"])
        _require(permit.shows(number))
        _require(Prediction.objects.filter(pk=number, task_id=task).exists())
    if body.get("parent_annotation") is not None:
        seen = Annotation.objects.filter(pk=_number(body["parent_annotation"]), task_id=task)
        _require((seen if permit.sees_others else seen.filter(completed_by=asked.person)).exists())
    _require(_number(body.get("task", task)) == task)
    _require(_number(body.get("project", asked.project)) == asked.project)
    _require(_number(body.get("user", asked.person)) == asked.person)


def _body(asked, known):
    """The object of a request's body, which says nothing but what the editor says.

    Args:
        asked: The request.
        known: The names that may be in it; any, where it is None.
    """
    request = asked.request
    if request.content_type != "application/json":
        raise malformed("Label Studio's editor sends JSON.")
    if request.content_params.get("charset", "utf-8").lower() != "utf-8":
        raise malformed("Label Studio's editor sends UTF-8.")  # its views would read other words than this door
    try:
        body = json.loads((request.body or b"{}").decode())
    except (ValueError, RecursionError) as error:
        raise malformed("This request's JSON cannot be read.") from error
    if not isinstance(body, dict):
        raise malformed("This request's JSON is no object.")
    if known is not None and (others := set(body) - known):
        raise malformed(f"A save may not say: {', '.join(sorted(map(str, others)))[:200]}.")
    return body


def _is_uuid(value):
    try:
        return str(UUID(value)) == value
    except (AttributeError, TypeError, ValueError):
        return False


def _number(value):
    try:
        return int(value)
    except (OverflowError, TypeError, ValueError):
        return 0
