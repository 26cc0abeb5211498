"""The project itself: its labelling interface, its instruction, and the settings that change what annotators see."""

from collections.abc import Sequence
from typing import Any

from annotation_backend.labeling.interface.editor import bring_interface_up_to_date, is_as_asked, wanted_interface
from annotation_backend.labeling.models import LabelingProject, Subject
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.labeling.watch.difference import Difference

SETTINGS: dict[str, Any] = {
    "show_collab_predictions": True,
    "evaluate_predictions_automatically": False,
    "reveal_preannotations_interactively": False,
    "model_version": "",
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "maximum_annotations": 1,
    "overlap_cohort_percentage": 100,
}
"""Settings that a project of ours is made with. People may change its name, colour, order of tasks and so on."""


def differences(project: LabelingProject) -> list[Difference]:
    """Values that are neither those that the settings ask for nor those that we gave the project last."""
    there = record_of(call("GET", f"/api/projects/{project.label_studio_id}/"))
    found = []
    for name, value in wanted_interface(project).items():
        has = there.get(name)
        if not is_as_asked(project, name, value, has) and digest_of(has) not in project.written.get(name, ()):
            words = "label config" if name == "label_config" else "instruction"
            found.append(Difference(Subject.INTERFACE, f"another {words}", digest_of(value), digest_of(has)))
    for name, value in SETTINGS.items():
        if name in there and there[name] != value:
            found.append(Difference(Subject.SETTING, name, digest_of(value), digest_of(there[name])))
    return found


def mend(project: LabelingProject, found: Sequence[Difference]) -> None:
    """Gives the project its interface and settings back."""
    bring_interface_up_to_date(project)
    changes = {one.name: SETTINGS[one.name] for one in found if one.subject is Subject.SETTING}
    if changes:
        call("PATCH", f"/api/projects/{project.label_studio_id}/", json=changes)
