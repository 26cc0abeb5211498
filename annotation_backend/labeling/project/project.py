"""Our project in Label Studio: made once, with its ML backend, its webhook and its tabs."""

from annotation_backend.labeling.interface.interface import instruction, label_config
from annotation_backend.labeling.interface.project_settings import keep_settings, last_settings
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project.deleted_project import is_gone, remember, retire
from annotation_backend.labeling.project.tabs import ensure_tabs
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.watch.interface import SETTINGS
from annotation_backend.labeling.watch.services import settle_project
from annotation_backend.studies.models import Study
from datasets.study.shipped_protocols import FIRST

FIRST_TITLE = "Maskloop: tumours on MRI"
"""Title of the first study's project where its protocol is the first, as it was before there were others."""

_MOST_TITLE = 50
"""Label Studio's limit, in characters."""


def ensure_project(study: Study) -> LabelingProject:
    """A study's project with everything connected; changes that somebody made there are recorded and mended.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token, or our account there does not see the organisation that the project is in
            (``label-studio-organisation``).
    """
    project = current_project(study)
    if project is not None and is_gone(project):
        retire(project)
        project = None
    if project is None:
        project = _create_project(study)
    settle_project(project)
    ensure_tabs(project)
    return project


def current_project(study: Study) -> LabelingProject | None:
    """The project that a study uses now; None where nothing of it was published yet."""
    return LabelingProject.objects.filter(study=study, is_retired=False).order_by("pk").last()


def _create_project(study: Study) -> LabelingProject:
    settings_now, protocol = last_settings(study), study.protocol
    kept = ("show_skip_button", "show_collab_predictions", "enable_empty_annotation", "maximum_annotations")
    title = FIRST_TITLE if study.is_first and protocol.name == FIRST else f"Maskloop: {study}"[:_MOST_TITLE]
    body = {
        "title": title,
        "label_config": label_config(settings_now.mask_format, protocol, hidden=settings_now.hidden_labels(protocol)),
        "expert_instruction": instruction(protocol),
        "show_instruction": False,
        **{name: SETTINGS[name] for name in kept},
    }
    created = record_of(call("POST", "/api/projects/", json=body), id=int)
    project = LabelingProject.objects.create(study=study, label_studio_id=created["id"], title=title)
    remember(project)
    keep_settings(project, settings_now, person=None)
    return project
