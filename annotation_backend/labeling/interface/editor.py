"""The project's editor in Label Studio: keeps its interface as the settings say, and changes the settings."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.interface.foreign_controls import foreign_controls
from annotation_backend.labeling.interface.interface import instruction, label_config
from annotation_backend.labeling.interface.project_settings import (
    ProjectSettings,
    check_settings,
    keep_settings,
    project_settings,
)
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.signals import predictions_outdated
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.registry.models import PromptKind

_TAG = re.compile(r"<[^>]*>")
_NAME = re.compile(r"[^\W_][\w .-]{0,79}")
"""Labels that the editor can show; one with other characters came by Label Studio's API."""


def bring_interface_up_to_date(project: LabelingProject, settings: ProjectSettings | None = None) -> bool:
    """Gives the project in Label Studio the interface that its settings and this version ask for.

    Args:
        project: Our project in Label Studio.
        settings: New settings, before they are stored; None for the stored ones.

    Returns:
        Whether it had another interface.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    address, wanted = f"/api/projects/{project.label_studio_id}/", wanted_interface(project, settings)
    there = record_of(call("GET", address))
    is_another = any(not is_as_asked(project, name, value, there.get(name)) for name, value in wanted.items())
    if is_another:
        there = {**wanted, **record_of(call("PATCH", address, json=wanted))}
    keep_written(project, {name: [digest_of(there.get(name))] for name in wanted})
    keep_written(project, {f"asked {name}": [digest_of(value)] for name, value in wanted.items()})
    return is_another


def is_as_asked(project: LabelingProject, name: str, wanted: str, has: object) -> bool:
    """Whether Label Studio's value is what it made of `wanted`; it strips white space, and HTML that it does not know.

    Args:
        project: Ours, with digests of the values it was given last and of what Label Studio made of them.
        name: The setting's name.
        wanted: The value that we ask for now.
        has: The value that is there now.
    """
    is_what_it_made = digest_of(has) in project.written.get(name, ())
    was_asked = digest_of(wanted) in project.written.get(f"asked {name}", ())
    return (is_what_it_made and was_asked) or _plain(str(has)) == _plain(wanted)


def _plain(text: str) -> str:
    """An interface without white space around it; of an instruction the words alone."""
    words = text if text.lstrip().startswith("<View") else unescape(_TAG.sub(" ", text))
    return " ".join(words.split()) if words is not text else text.strip()


def wanted_interface(project: LabelingProject, settings: ProjectSettings | None = None) -> dict[str, str]:
    """The interface and the instruction that the settings and this version ask for, in Label Studio's words.

    Args:
        project: Our project in Label Studio.
        settings: New settings, before they are stored; None for the stored ones.
    """
    settings, summary = settings or project_settings(project), _summary(project)
    foreign, kept = foreign_controls(summary["created_annotations"]), _in_use(summary)
    return {
        "label_config": label_config(
            settings.mask_format,
            project.protocol,
            hidden=settings.hidden_labels(project.protocol),
            kept=kept,
            foreign=foreign,
        ),
        "expert_instruction": instruction(project.protocol),
    }


def keep_written(project: LabelingProject, digests: Mapping[str, list[str]]) -> None:
    """Stores digests of the values that we gave the project in Label Studio."""
    if any(project.written.get(name) != value for name, value in digests.items()):
        project.written = {**project.written, **digests}
        project.save(update_fields=["written"])


def change_settings(project: LabelingProject, settings: ProjectSettings, *, person: User | None) -> bool:
    """Changes a project's settings, in Label Studio too; predictions that would now look otherwise are drawn anew.

    Args:
        project: Our project in Label Studio.
        settings: All of them, as they should be.
        person: The person who changes them; None for a command.

    Returns:
        Whether anything was changed.

    Raises:
        RejectedInput: As `check_settings`.
        TryAgain: Label Studio does not answer; then nothing was changed here, and the same change may be asked again.
    """
    check_settings(settings, project.study)
    before = project_settings(project)
    if settings == before:
        return False
    bring_interface_up_to_date(project, settings)  # first, and outside: the database waits for nobody else's answer
    with transaction.atomic():
        keep_settings(project, settings, person=person)
        if _look_otherwise(before, settings):
            _draw_anew(project)
    return True


def _look_otherwise(before: ProjectSettings, after: ProjectSettings) -> bool:
    automatic = PromptKind.AUTOMATIC
    return (before.mask_format, before.prompt_models.get(automatic)) != (
        after.mask_format,
        after.prompt_models.get(automatic),
    )


def _draw_anew(project: LabelingProject) -> None:
    """Has the worker push the predictions of the tasks that nobody submitted."""
    waiting = LabelingTask.objects.filter(project=project, state=TaskState.PENDING)
    waiting.update(drawn_by=None)
    for code in Case.objects.filter(labeling_tasks__in=waiting).distinct().values_list("code", flat=True):
        predictions_outdated.send(sender=LabelingTask, case_code=code)


def _summary(project: LabelingProject) -> dict[str, Any]:
    """Label Studio's counts of the project's annotations and drafts."""
    answer = call("GET", f"/api/projects/{project.label_studio_id}/summary/")
    found = record_of(answer, created_annotations=dict, created_labels=dict, created_labels_drafts=dict)
    for name in ("created_labels", "created_labels_drafts"):
        record_of(found[name], **dict.fromkeys(found[name], dict))
    return found


def _in_use(summary: Mapping[str, Any]) -> frozenset[str]:
    """Controls and labels that annotations or drafts of the project use, and that Label Studio refuses to lose."""
    labels = [summary["created_labels"], summary["created_labels_drafts"]]
    ours = {one.value for one in MaskFormat}
    controls = {key.partition("|")[0] for key in summary["created_annotations"]}.union(*labels)
    used = {name for counts in labels for control in ours & set(counts) for name in counts[control]}
    return frozenset(controls & ours | {name for name in used if _NAME.fullmatch(name)})
