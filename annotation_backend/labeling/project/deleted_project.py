"""Whether our project is still in Label Studio: a project that our account does not see need not be deleted."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.studio.answers import moment_of, number_in, record_of
from annotation_backend.labeling.studio.client import call, unreadable
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

logger = logging.getLogger(__name__)

SOON = timedelta(minutes=10)
"""A record is written right after Label Studio made the project; its clock may differ by minutes."""


def is_gone(project: LabelingProject) -> bool:
    """Whether Label Studio has deleted a project: it says so for exactly this one, and shows us its organisation.

    Raises:
        RejectedInput: Our account does not see the organisation now, so that a missing project says nothing
            (``label-studio-organisation``).
        TryAgain: Label Studio does not answer.
    """
    require_organisation(project)
    found = _found(project)
    if found is None:
        return True
    if project.made_at and _is_another(project, found):
        return True
    remember(project, found)
    return False


def require_organisation(project: LabelingProject | None) -> None:
    """Refuses to go on where Label Studio shows our account another organisation than the project's.

    Raises:
        RejectedInput: Our account sees another organisation, or none (``label-studio-organisation``).
    """
    seen = record_of(call("GET", "/api/current-user/whoami")).get("active_organization")
    wanted = project.organisation if project else None
    if seen is None or wanted not in (None, seen):
        raise RejectedInput(
            "label-studio-organisation",
            f"Our account in Label Studio sees organisation {seen or 'none'} instead of {wanted or '1'}: nothing of "
            "the project can be seen, and nothing of it is taken for deleted.",
            remedy="Sign in to Label Studio as the administrator (sign out first if you are signed in), which gives it "
            "back. Then run this again. Anybody with an account there can have taken it away.",
        )


def remember(project: LabelingProject, found: Mapping[str, Any] | None = None) -> None:
    """Stores a project's creation time, which tells it from another one that is given its number, and organisation."""
    body = found or _found(project) or {}
    organisation, made_at = number_in(body, "organization"), _made_at(body)
    if (project.organisation, project.made_at) == (organisation, made_at) or made_at is None:
        return
    project.organisation, project.made_at = organisation, made_at
    project.save(update_fields=["organisation", "made_at"])


def retire(project: LabelingProject) -> Finding:
    """Writes down that Label Studio has deleted a project; `bring_back` takes it back where it is seen again."""
    LabelingProject.objects.filter(pk=project.pk).update(is_retired=True)
    project.is_retired = True
    logger.warning("Label Studio has deleted project %d; its annotations stay here", project.label_studio_id)
    return Finding(
        Level.WARNING,
        "project-gone",
        f"Project {project.label_studio_id} was deleted in Label Studio.",
        "`manage.py publish_tasks` makes it anew; its annotations stay here.",
    )


def bring_back() -> list[Finding]:
    """Takes projects back that were taken for deleted and are in Label Studio after all.

    Returns:
        One finding for each; the next reconciliation takes over the saves since.
    """
    back = [project for project in LabelingProject.objects.filter(is_retired=True) if _is_there(project)]
    for project in back:
        LabelingProject.objects.filter(pk=project.pk).update(is_retired=False, pulled_until=None)
    return [
        Finding(
            Level.WARNING,
            "project-back",
            f"Project {project.label_studio_id} was taken for deleted and is in Label Studio.",
            "Its saves are taken over. Where there are two projects now, draw in the newer one and delete the other "
            "in Label Studio.",
        )
        for project in back
    ]


def _is_there(project: LabelingProject) -> bool:
    living = LabelingProject.objects.filter(is_retired=False, label_studio_id=project.label_studio_id)
    found = None if living.exists() else _found(project)
    return found is not None and _made_at(found) is not None and not _is_another(project, found)


def _found(project: LabelingProject) -> Mapping[str, Any] | None:
    try:
        found = record_of(call("GET", f"/api/projects/{project.label_studio_id}/"), id=int)
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None
    if found["id"] != project.label_studio_id:  # of another nothing says that ours is gone
        raise unreadable("another project than was asked for")
    return found


def _is_another(project: LabelingProject, found: Mapping[str, Any]) -> bool:
    """Whether the number is another project's: Label Studio installed anew counts from one."""
    made_at = _made_at(found)
    if made_at is None:
        return False
    return made_at != project.made_at if project.made_at else abs(made_at - project.created) > SOON


def _made_at(found: Mapping[str, Any]) -> Any:
    return moment_of(found.get("created_at"))
