"""The tabs of Label Studio's data manager: one for each task state, one for each annotator's own tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import LabelingProject, ProjectTab, TaskState
from annotation_backend.labeling.studio.answers import record_of, rows_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.studies.people import people_in

LONGEST_NAME = 24

ORDER = "tasks:data.order"
"""Label Studio orders by one column only, as text: patient, case and slice with leading zeros."""

_STATES = (TaskState.PENDING, TaskState.RETURNED, TaskState.ANNOTATED, TaskState.APPROVED)

_FORMER_ORDER = ["tasks:id"]

_HIDDEN_COLUMNS = [
    f"tasks:{name}"
    for name in (
        *("inner_id", "completed_at", "cancelled_annotations", "annotators", "annotations_results", "annotations_ids"),
        *("predictions_score", "predictions_results", "file_upload", "storage_filename", "created_at", "updated_at"),
        *("updated_by", "avg_lead_time", "draft_exists", "data.title", "data.annotated", "data.companion"),
        *("data.annotated_sequence", "data.companion_sequence", "data.stage", "data.state"),
        *("data.companions", "data.windows", "data.order"),
    )
]
"""Columns that a tab leaves out: the case, the slice, the tissue type, the site and the counts stay."""


@dataclass(frozen=True)
class _Tab:
    """A tab as it is made; `purpose` identifies it here, whatever people call it later."""

    purpose: str
    title: str
    condition: dict[str, Any]

    def body(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "ordering": [ORDER],
            "filters": {"conjunction": "and", "items": [self.condition]},
            "hiddenColumns": {"explore": _HIDDEN_COLUMNS, "labeling": _HIDDEN_COLUMNS},
        }


def ensure_tabs(project: LabelingProject, *, anew: bool = False) -> int:
    """Makes the tabs that were never made; those that people renamed, changed or deleted stay as they left them.

    Args:
        project: Our project in Label Studio.
        anew: Also make those again that people deleted.

    Returns:
        How many were made.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    known = dict(ProjectTab.objects.filter(project=project).values_list("purpose", "label_studio_id"))
    wanted = [tab for tab in _tabs(project) if anew or tab.purpose not in known]
    if not wanted:
        return 0
    tabs = rows_of(call("GET", "/api/dm/views/", params=_of(project)), id=int, data=dict)
    there = {tab["id"]: tab["data"] for tab in tabs}
    missing = [tab for tab in wanted if known.get(tab.purpose) not in there]
    return sum(_make_or_adopt(project, tab, there) for tab in missing)


def _tabs(project: LabelingProject) -> list[_Tab]:
    return [_state_tab(state) for state in _STATES] + [_tab_of(person) for person in _annotators(project)]


def purpose_of(person: User) -> str:
    """What the tab of a person's own drawings is known by here."""
    return f"person-{person.pk}"


def _annotators(project: LabelingProject) -> Iterable[User]:
    """Whoever draws by the protocol."""
    stages = [stage for stage in project.protocol.steps if stage.draws and not stage.is_automatic]
    drawing = people_in(project.study, *sorted({Role(stage.done_by) for stage in stages} or {Role.ANNOTATOR}))
    return drawing.filter(is_active=True, label_studio_id__isnull=False).order_by("pk")


def _state_tab(state: TaskState) -> _Tab:
    condition = {"filter": "filter:tasks:data.state", "operator": "equal", "type": "String", "value": state.value}
    return _Tab(state.value, str(state.label), condition)


def _tab_of(person: User) -> _Tab:
    """The tasks that a person submitted, to look at again or to correct; the community edition assigns no tasks."""
    name = person.username.partition("@")[0][:LONGEST_NAME]
    number = person.label_studio_id
    condition = {"filter": "filter:tasks:annotators", "operator": "contains", "type": "List", "value": number}
    return _Tab(purpose_of(person), f"Mine: {name}", condition)


def _make_or_adopt(project: LabelingProject, tab: _Tab, there: dict[int, dict[str, Any]]) -> int:
    """Takes over a tab of this title that an earlier version made; makes it where there is none.

    Returns:
        1 where a tab was made, else 0.
    """
    adopted = next((number for number, data in there.items() if data.get("title") == tab.title), None)
    if adopted is None:
        body = {"project": project.label_studio_id, "data": tab.body()}
        number = record_of(call("POST", "/api/dm/views/", json=body), id=int)["id"]
    else:
        number = adopted
        if there[number].get("ordering") == _FORMER_ORDER:
            body = {"project": project.label_studio_id, "data": {**there[number], "ordering": [ORDER]}}
            call("PATCH", f"/api/dm/views/{number}/", params=_of(project), json=body)
    ProjectTab.objects.update_or_create(project=project, purpose=tab.purpose, defaults={"label_studio_id": number})
    return int(adopted is None)


def _of(project: LabelingProject) -> dict[str, int]:
    return {"project": project.label_studio_id}
