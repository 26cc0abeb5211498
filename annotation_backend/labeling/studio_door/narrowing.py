# mypy: ignore-errors
"""What an answer says to a person: their tasks, tabs and drafts, and of others' annotations what they may see."""

from annotation_backend.labeling.studio_door.addresses import Who
from annotation_backend.labeling.studio_door.columns import are_ones_own
from annotation_backend.labeling.studio_door.conditions import Asked
from annotation_backend.labeling.studio_door.permits import PERMITS, Permit
from annotation_backend.labeling.studio_door.refusals import BY_HAND, not_allowed

_OF_OTHERS = (
    *("annotations_results", "annotations_ids", "annotators", "updated_by", "comment_authors", "completed_at"),
    *("total_annotations", "cancelled_annotations", "avg_lead_time", "is_labeled", "ground_truth", "agreement"),
    *("annotators_count", "draft_exists"),
)
"""What a list tells of a task's annotations; a blind reader is told nothing of it."""

_OF_THE_MODEL = ("predictions_results", "predictions_score", "predictions_model_versions", "total_predictions")

_COUNTED = (
    *("finished_task_number", "total_annotations_number", "useful_annotation_number", "ground_truth_number"),
    *("skipped_annotations_number", "total_predictions_number", "num_tasks_with_annotations", "annotation_count"),
    *("queue_left", "queue_done", "queue_total"),
)
"""What a project counts of what all people drew; in one that is read blindly it would tell when others drew."""

TO_DO, THROUGH = "pending", ("annotated", "approved")
"""States of a task; to whoever may not see others' work, theirs is still to be done."""

_SHOWN_ABOVE = "review_comment"
"""What of a task's data stands above its pictures."""

_OF_A_BACKEND = (
    *("id", "title", "state", "readable_state", "is_interactive", "project", "model_version", "auto_update"),
    *("created_at", "updated_at", "description"),
)
"""What the editor needs of an ML backend; its address and user are nobody's business."""


def _people(asked, data):
    rows = data["results"] if isinstance(data, dict) else data
    own = [row for row in rows if row.get("id") == asked.person]
    return {**data, "results": own, "count": len(own)} if isinstance(data, dict) else own


def _projects(asked, data):
    """Of the answer: the query is narrowed already (`lists`), and this holds should that change."""
    rows = data["results"] if isinstance(data, dict) else data
    if any(row["id"] not in asked.answer.projects for row in rows):
        raise not_allowed()
    counted = [_counted(row, PERMITS.of(asked.entry, asked.person, project=row["id"]).tasks) for row in rows]
    return {**data, "results": counted} if isinstance(data, dict) else counted


def _project_counts(asked, data):
    return _counted(data, asked.answer.tasks)


def _counted(project, tasks):
    """A project with counts of the person's own tasks, where not all are theirs."""
    if tasks is None:
        return project
    own = {name: len(tasks) for name in ("task_number", "task_count") if name in project}
    return {**project, **{name: 0 for name in _COUNTED if name in project}, **own}


def _tabs(asked, data):
    if asked.answer.tasks is None:
        return data
    return [tab for tab in data if _is_ones_own(tab.get("data") or {}, asked.person)]


def _is_ones_own(tab, person):
    """Whether a tab shows nothing of what other people drew: those that do would be refused."""
    return are_ones_own((tab.get("filters") or {}).get("items") or [], tab.get("ordering") or [], person)


def _backends(_asked, data):
    return [{name: row[name] for name in _OF_A_BACKEND if name in row} for row in data]


def _state(asked, data):
    kept = {name: value for name, value in data.items() if name not in ("created_by", "members", "control_weights")}
    return _counted(kept, asked.answer.tasks)


def _tasks(asked, data):
    rows = [row for row in (data["tasks"] if isinstance(data, dict) else data) if _is_theirs(asked, row["id"])]
    permits = PERMITS.of_each(asked.entry, asked.person, project=asked.project, tasks=[row["id"] for row in rows])
    found = [(row, permits.get(row["id"], Permit())) for row in rows]
    kept = [_alike(asked, task_as_seen(asked, row, permit)) for row, permit in found]
    if not isinstance(data, dict):
        return kept
    counts = {name: 0 for name in ("total_annotations", "total_predictions") if name in data}
    return {**data, "tasks": kept, **({} if asked.answer.tasks is None else counts)}


def _is_theirs(asked, task):
    return asked.answer.tasks is None or task in asked.answer.tasks


def _task(asked, data):
    """A task, or an answer that there is none."""
    if "id" not in data or "data" not in data:
        return data
    return _alike(asked, task_as_opened(asked, data, asked.answer.permit))


def _next_task(asked, data):
    if not isinstance(data, dict) or "data" not in data:
        return data
    permit = asked.of(asked.project, data["id"]).permit
    if not permit.may_look:
        raise not_allowed()
    return _alike(asked, task_as_opened(asked, data, permit))


def _annotations(asked, data):
    return _own(data, asked, asked.answer.permit)


def _drafts(asked, data):
    return [row for row in data if _number_of(row.get("user")) in (asked.person, _address(asked))]


def task_as_opened(asked, task, permit):
    """A task as the editor shows it to a person, who is told where no model draws: its labels are the project's."""
    seen = task_as_seen(asked, task, permit)
    if permit.may_draw and not permit.sees_model and isinstance(seen["data"], dict):
        words = [BY_HAND, seen["data"].get(_SHOWN_ABOVE)]
        seen["data"] = {**seen["data"], _SHOWN_ABOVE: "\n".join(filter(None, words))}
    return seen


def task_as_seen(asked, task, permit):
    """A task as a person may see it."""
    seen = dict(task)
    if "annotations" in seen:
        seen["annotations"] = _own(seen["annotations"], asked, permit)
    if "drafts" in seen:
        seen["drafts"] = _drafts(asked, seen["drafts"])
    if "predictions" in seen:
        seen["predictions"] = [row for row in seen["predictions"] if permit.shows(_number_of(row))]
    if _is_through(task, permit):
        seen["data"] = {**seen["data"], "state": TO_DO}
    hidden = (() if permit.sees_others else _OF_OTHERS) + (() if permit.sees_model else _OF_THE_MODEL)
    for name in hidden:
        if name in seen:
            seen[name] = None if name.endswith("_at") else _nothing(seen[name])
    return seen


def _alike(asked, seen):
    """A task without what tells a control case from others: a second prediction, and when something was saved last."""
    if asked.answer.tasks is None:
        return seen
    if "total_predictions" in seen:
        seen["total_predictions"] = min(seen["total_predictions"] or 0, 1)
    for name in _OF_THE_MODEL[:-1]:
        if name in seen:
            seen[name] = _nothing(seen[name])
    if "updated_at" in seen:
        seen["updated_at"] = seen.get("created_at")
    return seen


def _is_through(task, permit):
    """Whether a task's state tells of others' work that the person may not see."""
    data = task.get("data")
    return not permit.sees_others and isinstance(data, dict) and data.get("state") in THROUGH


def _own(rows, asked: Asked, permit: Permit):
    return [row for row in rows if permit.sees_others or _number_of(row.get("completed_by")) == asked.person]


def _number_of(value):
    return value.get("id") if isinstance(value, dict) else value


def _address(asked):
    """Label Studio names a draft's person by their address."""
    return asked.request.user.email


def _nothing(value):
    """The empty value of a kind."""
    if isinstance(value, bool):
        return False
    for kind, empty in ((int, 0), (float, None), (str, ""), (list, []), (dict, {})):
        if isinstance(value, kind):
            return empty
    return None


NARROWED = {
    Who.PEOPLE: _people,
    Who.PROJECTS: _projects,
    Who.PROJECT_COUNTS: _project_counts,
    Who.TABS: _tabs,
    Who.BACKENDS: _backends,
    Who.STATE: _state,
    Who.TASKS: _tasks,
    Who.TASK: _task,
    Who.NEXT_TASK: _next_task,
    Who.ANNOTATIONS: _annotations,
    Who.DRAFTS: _drafts,
}
"""By kind of row; the others' answers hold nothing of anybody else."""
