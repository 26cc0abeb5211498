"""Our project in Label Studio: made once, with its people, its ML backend, its webhook and its tabs."""

import os

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import email_of
from annotation_backend.environment import password_variable
from annotation_backend.labeling.accounts_there import sign_up
from annotation_backend.labeling.client import call, readable_errors, sdk
from annotation_backend.labeling.interface import instruction, label_config
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project_settings import keep_settings, last_settings
from annotation_backend.labeling.tabs import ensure_tabs
from annotation_backend.labeling.watch.interface import SETTINGS
from annotation_backend.labeling.watch.services import settle_project

TITLE = "Maskloop: tumours on MRI"


def ensure_project() -> LabelingProject:
    """The project with everything connected; what somebody changed there is written down and mended.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token.
    """
    project = current_project()
    if project is not None and not _exists(project):
        project.is_retired = True
        project.save(update_fields=["is_retired"])
        project = None
    if project is None:
        project = _create_project()
    settle_project(project)
    ensure_tabs(project)
    return project


def current_project() -> LabelingProject | None:
    """The project that is used now; None where nothing was published yet."""
    return LabelingProject.objects.filter(is_retired=False).order_by("pk").last()


def ensure_people() -> None:
    """Gives the first accounts one in Label Studio (same address and password), notes everyone's id there, and makes
    the tab of each annotator."""
    with readable_errors():
        known = {user["email"]: user["id"] for user in call("GET", "/api/users/")}
    for user in User.objects.all():
        if user.email not in known and user.email == email_of(Role(user.role)):
            sign_up(user, os.environ[password_variable(user.role)])
            known = {found["email"]: found["id"] for found in call("GET", "/api/users/")}
        if user.label_studio_id != known.get(user.email):
            user.label_studio_id = known.get(user.email)
            user.save(update_fields=["label_studio_id"])
    project = current_project()
    if project is not None:
        ensure_tabs(project)


def _exists(project: LabelingProject) -> bool:
    found = call("GET", "/api/projects/", params={"page_size": 1000, "include": "id"})
    return any(row["id"] == project.label_studio_id for row in found["results"])


def _create_project() -> LabelingProject:
    settings_now = last_settings()
    with readable_errors():
        created = sdk().projects.create(
            title=TITLE,
            label_config=label_config(settings_now.mask_format, has_oedema=settings_now.has_oedema),
            expert_instruction=instruction(),
            show_instruction=False,
            show_skip_button=SETTINGS["show_skip_button"],
            show_collab_predictions=SETTINGS["show_collab_predictions"],
            enable_empty_annotation=SETTINGS["enable_empty_annotation"],
            maximum_annotations=SETTINGS["maximum_annotations"],
        )
    project = LabelingProject.objects.create(label_studio_id=created.id, title=TITLE)
    keep_settings(project, settings_now, person=None)
    return project
